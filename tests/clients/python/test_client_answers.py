"""Where a watch begins and ends, what is refused, and the plain calls."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from fake_hearth import EPOCH, GENERATION, TEXT, FakeHearth, Plan
from hearth_client import End, Event, Hearth, HearthError, Opened
from sides import HASTE, Async, Sync

Transport = Literal["sse", "ws"]
REFUSALS = [
    (400, "bad_position"),
    (404, "unknown_generation"),
    (409, "epoch_mismatch"),
    (410, "trimmed"),
    (410, "expired"),
    (416, "past_the_end"),
]


async def test_a_watch_begins_behind_a_position(fake: FakeHearth, client: Sync | Async, transport: Transport) -> None:
    """`after` is the last event seen, by whomever."""
    seen: list[Event] = []
    await client.watch(f"{EPOCH}-8", transport, seen)

    assert [event.offset for event in seen] == [offset for offset, _ in enumerate(fake.records)][9:]


async def test_a_watch_at_the_end_of_an_ended_log_is_empty(
    fake: FakeHearth, client: Sync | Async, transport: Transport
) -> None:
    """204, and nobody asks again."""
    seen: list[Event] = []
    await client.watch(f"{EPOCH}-{len(fake.records) - 1}", transport, seen)

    assert (seen, len(fake.asks)) == ([], 1)


async def test_events_are_typed(client: Sync | Async, transport: Transport) -> None:
    """First `Opened`, last `End`."""
    seen: list[Event] = []
    await client.watch(None, transport, seen)
    first, last = seen[0], seen[-1]

    assert isinstance(first, Opened) and (first.generation, first.model) == (GENERATION, "demo")
    assert isinstance(last, End) and (last.state, last.reason) == ("finished", "stop")


@pytest.mark.parametrize(("status", "code"), REFUSALS)
@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_wrong_position_is_told(
    fake: FakeHearth, client: Sync | Async, status: int, code: str, wrapped: bool
) -> None:
    """Each with the server's code and what it knows of the log, and none is tried again."""
    facts: dict[str, Any] = {"code": code, "message": "no", "epoch": "new", "earliest": 3, "tail": 9}
    fake.plans.append(Plan(status=status, body={"error": facts} if wrapped else facts))
    with pytest.raises(HearthError) as caught:
        await client.watch(f"{EPOCH}-4", "sse", [])

    error = caught.value
    assert (error.code, error.status, error.retry) == (code, status, False)
    assert (error.epoch, error.earliest, error.tail, len(fake.asks)) == ("new", 3, 9, 1)


@pytest.mark.parametrize("code", [code for _, code in REFUSALS])
async def test_a_wrong_position_is_told_on_a_websocket(fake: FakeHearth, client: Sync | Async, code: str) -> None:
    """The same codes on a lane."""
    fake.plans.append(Plan(body={"code": code, "message": "no", "retry": False, "epoch": "new"}))
    with pytest.raises(HearthError) as caught:
        await client.watch(f"{EPOCH}-4", "ws", [])

    assert (caught.value.code, caught.value.retry, caught.value.epoch) == (code, False, "new")


async def test_a_watch_nobody_answers_says_so_at_once(transport: Transport) -> None:
    """No server, no waiting."""
    with Hearth("http://127.0.0.1:1", patience=HASTE) as hearth, pytest.raises(HearthError) as caught:
        next(iter(hearth.watch(GENERATION, transport=transport)))
    assert (caught.value.code, caught.value.retry) == ("unreachable", True)


async def test_the_key_is_sent(fake: FakeHearth, client: Sync | Async, transport: Transport) -> None:
    """On both transports."""
    await client.watch(None, transport, [])

    assert fake.headers[0]["authorization"] == "Bearer key"


async def test_text_waits_for_the_end(client: Sync | Async) -> None:
    """The first choice's text."""
    assert await client.call("text", GENERATION) == TEXT


async def test_text_raises_a_failure(fake: FakeHearth, client: Sync | Async) -> None:
    """Half an answer is none."""
    last = fake.records[-1][1]
    last |= {"state": "failed", "error": {"code": "engine_died", "message": "crash", "retry": True}}
    with pytest.raises(HearthError) as caught:
        await client.call("text", GENERATION)

    assert caught.value.code == "engine_died"


async def test_the_plain_calls(fake: FakeHearth, client: Sync | Async) -> None:
    """start, get, cancel and models ask what the contract says."""
    path = f"/v1/streams/{GENERATION}"
    fake.answers = {
        ("POST", "/v1/streams"): (201, {"id": GENERATION, "state": "queued"}),
        ("GET", path): (200, {"id": GENERATION, "tail": 3}),
        ("DELETE", path): (200, {"id": GENERATION, "state": "canceled"}),
        ("GET", "/v1/models"): (200, {"object": "list", "data": [{"id": "demo"}]}),
    }
    request = {"model": "demo", "messages": []}

    assert (await client.call("start", request))["id"] == GENERATION
    assert fake.frames == [request]
    assert (await client.call("get", GENERATION))["tail"] == 3
    assert (await client.call("cancel", GENERATION))["state"] == "canceled"
    assert await client.call("models") == [{"id": "demo"}]


async def test_a_refused_call_is_told(fake: FakeHearth, client: Sync | Async) -> None:
    """OpenAI's error shape is understood, and 429 may be tried again."""
    body = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limited", "param": None}}
    fake.answers["POST", "/v1/streams"] = (429, body)
    with pytest.raises(HearthError) as caught:
        await client.call("start", {})

    assert (caught.value.code, caught.value.retry, str(caught.value)) == (
        "rate_limited",
        True,
        "rate_limited: slow down",
    )
