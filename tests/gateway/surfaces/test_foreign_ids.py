"""Nobody learns of what another namespace has: its ids are 404, as if they were not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.routing import Route

from gateway.app import build
from gateway.settings import load
from tests.gateway.surfaces.house import House, house
from tests.gateway.surfaces.raw import CHAT
from tests.gateway.surfaces.talking import talking

# Each way to ask for an id that callers have.
ASKS: Final[dict[str, list[dict[str, Any]]]] = {
    "GET /v1/streams/{id}": [
        {},
        {"headers": {"accept": "application/json"}},
        {"headers": {"accept": "text/event-stream"}},
        {"headers": {"last-event-id": "abcdefgh-1"}},
        *(
            {"params": query}
            for query in ({"offset": "-1"}, {"offset": "now", "live": "long-poll"}, {"live": "sse", "offset": "-1"})
        ),
    ],
    "HEAD /v1/streams/{id}": [{}],
    "DELETE /v1/streams/{id}": [{}],
    "POST /v1/streams/{id}": [{"content": b"x", "headers": {"content-type": "text/plain"}}],
}
NOT_THEIRS: Final = {
    "PUT /v1/streams/{id}": "creates",
    "OPTIONS /v1/streams/{id}": "says what the address takes, whatever is there",
    "GET /v1/models/{model}": "models belong to nobody",
    "POST /admin/models/{model}/warm": "models belong to nobody",
    "POST /admin/models/{model}/cool": "models belong to nobody",
    "GET /static/{path}": "files belong to nobody",
    "GET /admin/keys/{id}": "for admins, who may see all",
    "DELETE /admin/keys/{id}": "for admins, who may see all",
}


def test_every_route_with_an_id_is_asked() -> None:
    routes = [route for route in build(load({"models": ("demo=scripted:",)})).routes if isinstance(route, Route)]
    with_ids = {
        f"{method} {re.sub(':path', '', route.path)}"
        for route in routes
        if "{" in route.path
        for method in route.methods or ()
        if method != "HEAD" or "streams" in route.path
    }
    assert with_ids == ASKS.keys() | NOT_THEIRS.keys()


async def told(here: House, route: str, id: str, key: str, ask: dict[str, Any]) -> tuple[int, str]:
    method, path = route.split()
    answer = await here.ask(method, path.replace("{id}", id), key, **ask)
    return answer.status_code, answer.text.replace(id, "ID")


@pytest.mark.parametrize("what", ["generation", "remote stream"])
async def test_a_foreign_id_is_told_as_one_that_nobody_has(tmp_path: Path, what: str) -> None:
    async with house(tmp_path, durable_writes=True) as here:
        mine, yours = (await here.key())["secret"], (await here.key())["secret"]
        if what == "generation":
            id, nobodys = await here.start(yours), "gen_none"
        else:
            id, nobodys = "log", "none"
            await here.ask("PUT", "/v1/streams/log", yours, headers={"content-type": "text/plain"}, content=b"secret")
        for route, asks in ASKS.items():
            if what == "generation" and route.startswith("POST"):
                continue  # Nobody writes to a generation, its owner neither.
            for ask in asks:
                status, text = await told(here, route, id, mine, ask)
                assert status == 404, (route, ask)
                assert text == (await told(here, route, nobodys, mine, ask))[1]
        whole = await here.ask("GET", f"/v1/streams/{id}", yours, params={"offset": "-1"})
        assert whole.status_code == 200


async def test_a_foreign_generation_is_not_on_a_socket_either(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        mine, yours = (await here.key())["secret"], (await here.key())["secret"]
        id = await here.start(yours)
        async with talking(here.url, additional_headers={"x-api-key": mine}) as talk:
            heard = []
            for generation in (id, "gen_none"):
                await talk.say("attach", "a", generation=generation)
                heard.append(await talk.hear("a"))
        assert heard[0] == heard[1] and heard[0]["code"] == "unknown_generation"


async def test_keys_of_one_namespace_share_what_they_have(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        one, other = [(await here.key(namespace="team"))["secret"] for _ in range(2)]
        id = await here.start(one)
        assert (await here.ask("DELETE", f"/v1/streams/{id}", other)).status_code == 200


async def test_two_namespaces_have_remote_streams_of_one_name(tmp_path: Path) -> None:
    async with house(tmp_path, durable_writes=True) as here:
        secrets = [(await here.key())["secret"] for _ in range(2)]
        kind = {"content-type": "text/plain"}
        for secret in secrets:
            made = await here.ask("PUT", "/v1/streams/foo", secret, headers=kind, content=secret.encode())
            assert made.status_code == 201
        for secret in secrets:
            assert (await here.ask("GET", "/v1/streams/foo", secret, params={"offset": "-1"})).text == secret
        assert (await here.ask("DELETE", "/v1/streams/foo", secrets[0])).status_code == 204
        assert (await here.ask("GET", "/v1/streams/foo", secrets[1], params={"offset": "-1"})).status_code == 200


async def test_two_namespaces_may_use_one_idempotency_key(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        secrets = [(await here.key())["secret"] for _ in range(2)]
        ids = [
            (await here.ask("POST", "/v1/streams", key, json=CHAT, headers={"idempotency-key": "k"})).json()["id"]
            for key in secrets
        ]
        assert len(set(ids)) == 2
