"""Tickets: for a browser's EventSource and WebSocket."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.gateway.surfaces.house import ADMIN, House, house, refused
from tests.gateway.surfaces.raw import CHAT
from tests.gateway.surfaces.talking import Talk
from tests.redis_server import redis_process


async def ticket(here: House, key: str, **said: Any) -> str:
    answer = await here.ask("POST", "/v1/tickets", key, json=said)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"ticket", "expires_in"}
    text: str = answer.json()["ticket"]
    return text


def socket(here: House, ticket: str) -> connect:
    return connect(f"{here.url.replace('http', 'ws')}/v1/ws?ticket={ticket}", ping_interval=None)


async def test_a_ticket_reads_what_its_key_may_read(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        mine, yours = (await here.key())["secret"], (await here.key())["secret"]
        id, foreign = await here.start(mine), await here.start(yours)
        good = {"ticket": await ticket(here, mine)}
        answer = await here.ask("GET", f"/v1/streams/{id}", None, params=good)
        assert answer.status_code == 200 and "event: end" in answer.text
        assert (await here.ask("GET", f"/v1/streams/{id}", None, params={**good, "offset": "-1"})).status_code == 200
        assert (await here.ask("GET", f"/v1/streams/{foreign}", None, params=good)).status_code == 404


async def test_a_ticket_opens_a_socket(tmp_path: Path) -> None:
    async with house(tmp_path) as here, socket(here, await ticket(here, ADMIN)) as connection:
        await Talk(connection).create("a")


async def test_a_ticket_is_for_nothing_else(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        good = {"ticket": await ticket(here, ADMIN)}
        id = await here.start(ADMIN)
        for asked in (
            *("POST /v1/tickets", "GET /v1/models", "POST /v1/chat/completions", "POST /v1/streams"),
            *(f"DELETE /v1/streams/{id}", f"HEAD /v1/streams/{id}", "PUT /v1/streams/x", "POST /v1/streams/x"),
            *("GET /admin/keys", "POST /admin/keys"),
        ):
            method, path = asked.split()
            answer = await here.ask(method, path, None, params=good, json=CHAT)
            assert answer.status_code == 401, asked


async def test_a_ticket_for_one_generation_reads_that_one_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        key = (await here.key())["secret"]
        id, other = await here.start(key), await here.start(key)
        text = await ticket(here, key, generation=id)
        assert (await here.ask("GET", f"/v1/streams/{id}", None, params={"ticket": text})).status_code == 200
        assert (await here.ask("GET", f"/v1/streams/{other}", None, params={"ticket": text})).status_code == 404
        async with socket(here, text) as connection:
            talk = Talk(connection)
            await talk.say("attach", "a", generation=other)
            assert (await talk.hear("a"))["code"] == "unknown_generation"
            await talk.say("create", "b", request=CHAT)
            assert (await talk.hear("b"))["code"] == "forbidden"
            await talk.say("attach", "c", generation=id)
            assert (await talk.hear("c"))["t"] == "attached"


async def test_a_ticket_stops_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:?stall_at=1") as here:
        id = await here.start(ADMIN)
        async with socket(here, await ticket(here, ADMIN, generation=id)) as connection:
            talk = Talk(connection)
            await talk.say("attach", "a", generation=id)
            await talk.hear("a", "attached")
            await talk.say("cancel", "a")
            assert (await talk.hear("a", "error"))["code"] == "forbidden"


async def test_a_ticket_ends_with_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.keyring.lookup.FRESH_S", 0.0)
    async with house(tmp_path) as here:
        key = await here.key()
        id, text = await here.start(key["secret"]), await ticket(here, key["secret"])
        await here.ask("DELETE", f"/admin/keys/{key['id']}")
        assert refused(await here.ask("GET", f"/v1/streams/{id}", None, params={"ticket": text}))
        with pytest.raises(InvalidStatus) as told:
            await socket(here, text)
        assert told.value.response.status_code == 401


async def test_a_ticket_ends_after_its_time(tmp_path: Path) -> None:
    async with house(tmp_path, ticket_s=0.001) as here:
        id, text = await here.start(ADMIN), await ticket(here, ADMIN)
        assert refused(await here.ask("GET", f"/v1/streams/{id}", None, params={"ticket": text}))


@pytest.mark.parametrize("text", ["", "x", "a.b", "%FF", "ä"])
async def test_what_is_no_ticket_is_refused(tmp_path: Path, text: str) -> None:
    async with house(tmp_path) as here:
        assert refused(await here.ask("GET", "/v1/streams/gen_a", None, params={"ticket": text}))


@pytest.mark.parametrize("body", ["[]", '{"generation": 1}', '{"generations": "x"}', "{"])
async def test_what_is_wrong_with_a_body_is_told(tmp_path: Path, body: str) -> None:
    async with house(tmp_path) as here:
        assert (await here.ask("POST", "/v1/tickets", content=body)).status_code == 400
        assert (await here.ask("POST", "/v1/tickets", content="")).status_code == 200


async def test_a_ticket_of_one_replica_is_good_at_the_other(tmp_path: Path) -> None:
    with redis_process() as redis:
        async with house(tmp_path, redis_url=redis.url) as here, house(tmp_path, redis_url=redis.url) as there:
            id, text = await here.start(ADMIN), await ticket(here, ADMIN)
            assert (await there.ask("GET", f"/v1/streams/{id}", None, params={"ticket": text})).status_code == 200


async def test_an_open_server_gives_tickets_to_everybody(tmp_path: Path) -> None:
    async with house(tmp_path, open_access=True) as here:
        answer = await here.ask("POST", "/v1/tickets", None)
        id, text = await here.start(None), answer.json()["ticket"]
        assert (await here.ask("GET", f"/v1/streams/{id}", None, params={"ticket": text})).status_code == 200


async def test_no_log_has_a_ticket_or_a_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At any level, whoever writes it."""
    async with house(tmp_path) as here:
        for name in ("", "uvicorn", "uvicorn.error"):
            caplog.set_level(logging.DEBUG, name)
        key = (await here.key())["secret"]
        id, text = await here.start(key), await ticket(here, key)
        async with socket(here, text) as connection:
            await Talk(connection).say("ping")
        with pytest.raises(InvalidStatus):
            await socket(here, text[:-1])
        await here.ask("GET", f"/v1/streams/{id}", None, params={"ticket": text})
        ours = [each.getMessage() for each in caplog.records if each.name.split(".")[0] in ("gateway", "uvicorn")]
        assert any('"WebSocket /v1/ws"' in line for line in ours), "what uvicorn says of it was looked at"
        assert not [each for each in caplog.records if each.levelno >= logging.WARNING], "a refusal is no fault"
        assert not [line for line in ours if text[:-1] in line or key in line or ADMIN in line]
