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
_INPUT: Final = {"json": {"input": {"prompt": "once"}}}
_V1: Final = "/replicate/v1"
_MODEL: Final = f"{_V1}/models/{{owner}}/{{name}}"
_DEPLOYMENT: Final = f"{_V1}/deployments/{{owner}}/{{name}}"
# The same, of what Replicate's clients have: by what is asked for.
REPLICATE_ASKS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "prediction": {
        f"GET {_V1}/predictions/{{id}}": {},
        f"POST {_V1}/predictions/{{id}}/cancel": {},
        # These addresses are keys themselves, and an id alone is none.
        f"GET {_V1}/streams/{{written}}": {},
    },
    "file": {
        f"GET {_V1}/files/{{id}}": {},
        f"DELETE {_V1}/files/{{id}}": {},
        f"GET {_V1}/files/{{id}}/download": {},
        f"GET {_V1}/files/{{id}}/{{link}}/{{name}}": {},
    },
    "model": {
        f"GET {_MODEL}": {},
        f"GET {_MODEL}/readme": {},
        f"GET {_MODEL}/examples": {},
        f"GET {_MODEL}/versions": {},
        f"GET {_MODEL}/versions/{{id}}": {},
        f"POST {_MODEL}/predictions": _INPUT,
    },
    "deployment": {
        f"GET {_DEPLOYMENT}": {},
        f"POST {_DEPLOYMENT}/predictions": _INPUT,
    },
}
ADMINS: Final = (
    *(f"{method} {_MODEL}" for method in ("PATCH", "DELETE")),
    *(f"{method} {_DEPLOYMENT}" for method in ("PATCH", "DELETE")),
    f"POST {_MODEL}/versions",
    f"DELETE {_MODEL}/versions/{{id}}",
)
"""Replicate's routes that are for admins alone."""
PREFIXES: Final = re.compile(r"/replicate/(?:v1/){0,2}")
NOT_THEIRS: Final = {
    f"GET {_V1}/collections/{{slug}}": "collections belong to nobody",
    f"GET {_V1}/trainings/{{id}}": "nothing is trained here",
    f"POST {_V1}/trainings/{{id}}/cancel": "nothing is trained here",
    f"POST {_MODEL}/versions/{{id}}/trainings": "nothing is trained here",
    f"OPTIONS {_V1}/streams/{{written}}": "the same is said of every address",
    f"OPTIONS {_V1}/files/{{id}}/download": "the same is said of every address",
    f"OPTIONS {_V1}/files/{{id}}/{{link}}/{{name}}": "the same is said of every address",
    **{
        f"POST {base}/{kind}/{{owner}}/{{name}}/predictions": "says where the API is, whatever is asked for"
        for base in ("", "/v1")
        for kind in ("models", "deployments")
    },
    "GET /admin/webhooks/{id}": "for admins, who may see all",
    "POST /admin/webhooks/{id}/replay": "for admins, who may see all",
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
        f"{method} {PREFIXES.sub(f'{_V1}/', re.sub(':path', '', route.path))}"
        for route in routes
        if "{" in route.path
        for method in route.methods or ()
        if method != "HEAD" or route.path.startswith("/v1/streams")
    }
    replicate = [route for asks in REPLICATE_ASKS.values() for route in asks]
    assert with_ids == {*ASKS, *replicate, *ADMINS, *NOT_THEIRS}


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


async def owned(here: House, what: str, key: str) -> dict[str, str]:
    """One of these, whose the key is, as it stands in paths."""
    if what == "prediction":
        made = await here.ask("POST", f"{_V1}/models/hearth/demo/predictions", key, **_INPUT)
        return {"id": made.json()["id"], "written": made.json()["id"]}
    if what == "file":
        made = await here.ask("POST", f"{_V1}/files", key, files={"content": b"secret"})
        return {"id": made.json()["id"], "link": "a.1.b", "name": "c.png"}
    version = (await here.ask("GET", f"{_V1}/models/hearth/demo")).json()["latest_version"]["id"]
    if what == "deployment":
        said = {"name": "line", "model": "hearth/demo", "version": version, "hardware": "cpu"}
        made = await here.ask("POST", f"{_V1}/deployments", json={**said, "min_instances": 0, "max_instances": 1})
        release = made.json()
        return {"owner": release["owner"], "name": release["name"]}
    return {"owner": "hearth", "name": "demo", "id": version}


def nobodys(what: str, theirs: dict[str, str]) -> dict[str, str]:
    """The same, of a name that nothing has."""
    other = "owner" if what in ("model", "deployment") else "id"
    changed = {**theirs, other: theirs[other][:-1] + ("0" if theirs[other][-1] != "0" else "1")}
    return {**changed, "written": changed[other]} if what == "prediction" else changed


async def asked(
    here: House, route: str, key: str | None, names: dict[str, str], ask: dict[str, Any]
) -> tuple[int, str]:
    method, path = route.split()
    answer = await here.ask(method, path.format(**names), key, **ask)
    text = answer.text
    for name in names.values():
        text = text.replace(name, "ID")
    return answer.status_code, text


@pytest.mark.parametrize("what", REPLICATE_ASKS)
async def test_what_replicates_clients_name_is_told_as_one_that_nobody_has(tmp_path: Path, what: str) -> None:
    async with house(tmp_path, "demo=scripted:", "mine=scripted:", files=str(tmp_path / "files")) as here:
        mine, yours = [(await here.key(models=models))["secret"] for models in (["mine"], ["demo"])]
        theirs = await owned(here, what, yours)
        for route, ask in REPLICATE_ASKS[what].items():
            for prefix in (f"{_V1}/", "/replicate/", f"{_V1}/v1/"):
                there = route.replace(f"{_V1}/", prefix)
                status, text = await asked(here, there, mine, theirs, ask)
                assert status == 404, there
                assert text == (await asked(here, there, mine, nobodys(what, theirs), ask))[1], there
        shown = next(iter(REPLICATE_ASKS[what]))
        assert (await asked(here, shown, yours, theirs, {}))[0] == 200
        assert (await asked(here, shown, None, theirs, {}))[0] == 401


@pytest.mark.parametrize("route", ADMINS)
async def test_what_is_for_admins_is_refused_whatever_is_there(tmp_path: Path, route: str) -> None:
    async with house(tmp_path, "demo=scripted:", files=str(tmp_path / "files")) as here:
        key = (await here.key())["secret"]
        theirs = await owned(here, "deployment" if "deployments" in route else "model", key)
        for names in (theirs, {**theirs, "owner": "nobody"}):
            assert (await asked(here, route, key, names, {"json": {}}))[0] == 403


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
