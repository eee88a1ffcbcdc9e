"""Who is let in, over real sockets."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.keyring.lookup import FRESH_S
from tests.gateway.surfaces.house import ADMIN, house, refused
from tests.gateway.surfaces.raw import CHAT
from tests.gateway.surfaces.talking import talking
from tests.redis_server import redis_process

OPEN: Final = ("/", "/static/page.js", "/healthz", "/readyz", "/metrics")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer {}"},
        {"authorization": "bearer  {}"},
        {"authorization": "Token {}"},
        {"x-api-key": "{}"},
    ],
)
async def test_a_key_is_taken_as_every_client_sends_it(tmp_path: Path, headers: dict[str, str]) -> None:
    async with house(tmp_path) as here:
        for secret in (ADMIN, (await here.key())["secret"]):
            sent = {name: value.format(secret) for name, value in headers.items()}
            assert (await here.ask("GET", "/v1/models", None, headers=sent)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {ADMIN}"},
        {"authorization": ADMIN},
        {"x-api-key": "hearth_" + "a" * 43},
    ],
)
async def test_whoever_has_no_key_is_told_to_send_one(tmp_path: Path, headers: dict[str, str]) -> None:
    async with house(tmp_path) as here:
        for method, path in (
            ("GET", "/v1/models"),
            ("POST", "/v1/chat/completions"),
            ("GET", "/admin/keys"),
            ("GET", "/x"),
        ):
            assert refused(await here.ask(method, path, None, headers=headers))


async def test_the_page_and_what_watches_over_the_server_need_no_key(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for path in OPEN:
            assert (await here.ask("GET", path, None)).status_code in (200, 503), path
        preflight = {"origin": "https://other.example", "access-control-request-method": "POST"}
        assert (await here.ask("OPTIONS", "/v1/chat/completions", None, headers=preflight)).status_code != 401


async def test_a_revoked_an_expired_and_an_unknown_key_are_told_the_same(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        revoked, expired = await here.key(), await here.key(expires=0.001)
        await here.ask("DELETE", f"/admin/keys/{revoked['id']}")
        said = {
            (await here.ask("GET", "/v1/models", secret)).text
            for secret in (revoked["secret"], expired["secret"], "hearth_" + "b" * 43)
        }
        assert len(said) == 1 and "whoever runs this server can give you another" in said.pop()


async def test_with_no_key_configured_everybody_is_local_and_whatever_key_is_sent(tmp_path: Path) -> None:
    async with house(tmp_path, admin_key=None) as here:
        for key in (None, "dummy"):
            assert (await here.ask("GET", "/v1/models", key)).status_code == 200
            assert (await here.ask("GET", "/admin/keys", key)).json() == {"object": "list", "data": []}
        assert list(tmp_path.iterdir()) == []


async def test_from_the_first_key_on_one_is_wanted_also_after_it_was_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.keyring.lookup.FRESH_S", 0.0)
    async with house(tmp_path, admin_key=None) as here:
        created = (await here.ask("POST", "/admin/keys", None, json={"admin": True})).json()
        assert refused(await here.ask("GET", "/v1/models", None))
        assert (await here.ask("DELETE", f"/admin/keys/{created['id']}", created["secret"])).status_code == 200
        for key in (None, created["secret"]):
            assert refused(await here.ask("GET", "/v1/models", key))


async def test_a_server_on_a_network_wants_a_key_although_none_is_configured(tmp_path: Path) -> None:
    async with house(tmp_path, admin_key=None, host="0.0.0.0") as here:
        assert refused(await here.ask("GET", "/v1/models", None))


async def test_open_access_lets_everybody_in_but_behind_admin(tmp_path: Path) -> None:
    async with house(tmp_path, open_access=True, host="0.0.0.0") as here:
        for key in (None, "dummy"):
            assert (await here.ask("GET", "/v1/models", key)).status_code == 200
            assert refused(await here.ask("GET", "/admin/keys", key))
        generation = await here.start(None)
        mine = (await here.key())["secret"]
        assert (await here.ask("DELETE", f"/v1/streams/{generation}", mine)).status_code == 404
        assert (await here.ask("DELETE", f"/v1/streams/{generation}", "dummy")).status_code == 200


async def test_a_key_sees_and_asks_its_own_models_alone(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:", "deep/one=scripted:", "other=scripted:") as here:
        mine = (await here.key(models=["demo", "deep/*"]))["secret"]
        listed = (await here.ask("GET", "/v1/models", mine)).json()["data"]
        assert [model["id"] for model in listed] == ["demo", "deep/one"]
        assert (await here.ask("GET", "/v1/models/deep/one", mine)).status_code == 200
        for model in ("other", "othe"):
            for method, path, body in (
                ("GET", f"/v1/models/{model}", None),
                ("POST", "/v1/chat/completions", {**CHAT, "model": model}),
            ):
                answer = await here.ask(method, path, mine, json=body)
                assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_model")
                assert "other" not in answer.text.replace("'othe'", "").replace(f"'{model}'", "")


def spelled(secret: str) -> str:
    return "bearer." + urlsafe_b64encode(secret.encode()).decode().rstrip("=")


async def test_a_socket_takes_a_key_as_a_header_or_as_a_protocol(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        secret = (await here.key())["secret"]
        for options in (
            {"additional_headers": {"authorization": f"Bearer {secret}"}},
            {"additional_headers": {"x-api-key": secret}},
            {"subprotocols": ["hearth.v1", spelled(secret)]},
        ):
            async with talking(here.url, **options) as talk:
                await talk.create("a")
                assert talk.connection.subprotocol == ("hearth.v1" if "subprotocols" in options else None)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"additional_headers": {"authorization": "Bearer wrong"}},
        {"subprotocols": ["hearth.v1", "bearer.d3Jvbmc"]},
        {"subprotocols": ["hearth.v1", "bearer.!"]},
        {"subprotocols": ["hearth.v1"]},
    ],
)
async def test_a_socket_without_a_good_key_is_refused_before_it_opens(tmp_path: Path, options: dict[str, Any]) -> None:
    async with house(tmp_path) as here:
        with pytest.raises(InvalidStatus) as told:
            await connect(here.url.replace("http", "ws") + "/v1/ws", **options)
        assert told.value.response.status_code == 401
        assert told.value.response.headers["www-authenticate"] == "Bearer"
        assert b'"unauthorized"' in told.value.response.body


async def test_an_event_stream_without_a_good_key_is_refused_by_its_status(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        generation = await here.start(ADMIN)
        sse = {"accept": "text/event-stream"}
        assert refused(await here.ask("GET", f"/v1/streams/{generation}", None, headers=sse))
        assert refused(await here.ask("POST", "/v1/chat/completions", None, json={**CHAT, "stream": True}))


async def test_a_socket_whose_key_was_revoked_begins_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.keyring.lookup.FRESH_S", 0.0)
    async with house(tmp_path) as here:
        key = await here.key()
        async with talking(here.url, additional_headers={"authorization": f"Bearer {key['secret']}"}) as talk:
            generation = await talk.create("a")
            await here.ask("DELETE", f"/admin/keys/{key['id']}")
            await talk.say("create", "b", request=CHAT)
            assert (await talk.hear("b"))["code"] == "unauthorized"
            await talk.say("attach", "c", generation=generation)
            assert (await talk.hear("c"))["code"] == "unauthorized"


async def test_keys_made_on_one_replica_work_on_the_other_and_end_there(tmp_path: Path) -> None:
    with redis_process() as redis:
        async with house(tmp_path, redis_url=redis.url) as here, house(tmp_path, redis_url=redis.url) as there:
            key = await here.key()
            assert (await there.ask("GET", "/v1/models", key["secret"])).status_code == 200
            await here.ask("DELETE", f"/admin/keys/{key['id']}")
            async with asyncio.timeout(FRESH_S + 2):
                while (await there.ask("GET", "/v1/models", key["secret"])).status_code == 200:
                    pass
        assert list(tmp_path.iterdir()) == []


async def test_while_redis_is_away_known_keys_work_and_unknown_ones_are_neither_good_nor_bad(tmp_path: Path) -> None:
    with redis_process() as redis:
        async with house(tmp_path, redis_url=redis.url) as here:
            known, unknown = await here.key(), await here.key()
            await here.ask("GET", "/v1/models", known["secret"])
            redis.kill()
            assert (await here.ask("GET", "/v1/models", known["secret"])).status_code == 200
            assert (await here.ask("GET", "/v1/models", ADMIN)).status_code == 200
            for secret in (unknown["secret"], "hearth_" + "c" * 43):
                answer = await here.ask("GET", "/v1/models", secret)
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "state_unavailable")
                assert "retry-after" in answer.headers
            # A browser's EventSource never comes back after an error's status.
            sse = {"accept": "text/event-stream"}
            told = await here.ask("GET", "/v1/streams/gen_a", unknown["secret"], headers=sse)
            assert told.status_code == 200 and '"code":"state_unavailable"' in told.text


async def test_a_redis_that_comes_back_empty_opens_the_server_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.keyring.lookup.FRESH_S", 0.0)
    with redis_process() as redis:
        async with house(tmp_path, admin_key=None, redis_url=redis.url) as here:
            await here.ask("POST", "/admin/keys", None, json={})
            assert refused(await here.ask("GET", "/v1/models", None))
            redis.restart(keep_data=False)
            assert refused(await here.ask("GET", "/v1/models", None))
