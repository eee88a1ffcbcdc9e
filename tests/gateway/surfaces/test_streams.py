"""/v1/streams on real sockets: start, watch, go on, stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.gateway.surfaces.raw import CHAT, engine_of
from tests.gateway.surfaces.watching import started, text, watched, watching
from tests.serving import Served, serving
from tests.waiting import until

SLOW = "demo=scripted:?token_ms=5&tokens=10000"


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with serving("demo=scripted:?token_ms=1&tokens=20") as served:
        yield served


@pytest.fixture
async def client(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


# Starting


async def test_a_start_answers_at_once_with_where_to_watch(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/streams", json=CHAT)
    told = answer.json()
    assert answer.status_code == 201
    assert told == {
        "id": told["id"],
        "object": "stream",
        "model": "demo",
        "state": "queued",
        "created": told["created"],
        "url": f"/v1/streams/{told['id']}",
    }
    assert answer.headers["location"] == told["url"]
    assert answer.headers["x-generation-id"] == told["id"]


async def test_completion_bodies_start_too_and_stream_is_of_no_account(client: httpx.AsyncClient) -> None:
    for body in (
        {"prompt": "once", "stream": False},
        {"prompt": ["a", "b"], "stream": True},
        {"prompt": "once", "stream_options": {"include_usage": True}},
    ):
        answer = await client.post("/v1/streams", json={"model": "demo", **body})
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({}, 400, "invalid_request", "messages"),
        ({"messages": CHAT["messages"]}, 400, "invalid_request", "model"),
        ({**CHAT, "model": "dmo"}, 404, "unknown_model", "model"),
        ({**CHAT, "temperature": "hot"}, 400, "invalid_request", "temperature"),
    ],
)
async def test_a_start_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], status: int, code: str, param: str
) -> None:
    answer = await client.post("/v1/streams", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)


async def test_what_the_engine_refuses_comes_as_the_end() -> None:
    async with serving("demo=scripted:?context_length=3") as server:
        id = await started(server.url, messages=[{"role": "user", "content": "one two three four"}])
        end = (await watched(server.url, id))[-1]
        assert (end.event, end.data["state"]) == ("end", "failed")
        assert end.data["error"]["code"] == "context_length_exceeded"


# Watching


async def test_a_stream_is_its_head_then_every_event_then_its_end(server: Served) -> None:
    id = await started(server.url)
    async with watching(server.url, f"/v1/streams/{id}") as stream:
        frames = await stream.all()
    epoch = stream.headers["x-stream-epoch"]
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["x-generation-id"] == id
    assert stream.headers["x-stream-from"] == "0"
    assert stream.headers["x-stream-state"] in ("queued", "booting", "running")
    assert "no-cache" in stream.headers["cache-control"]
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.retry is not None
    assert 1000 <= stream.retry <= 3000
    assert stream.comments[0].startswith(f"open {id} epoch={epoch} from=0 tail=")
    assert (frames[0].event, frames[-1].event) == ("opened", "end")
    expected = 0
    for frame in frames:
        assert frame.data["o"] == expected
        expected += frame.data["n"]
        assert frame.position == f"{epoch}-{expected - 1}"
    assert frames[-1].data["usage"]["completion_tokens"] == 20


async def test_the_first_words_to_a_watcher_do_not_wait_for_the_first_event() -> None:
    async with serving("demo=scripted:?prefill_ms=60000", keep_alive_s=0.05) as server:
        id = await started(server.url)
        async with watching(server.url, f"/v1/streams/{id}?after=") as stream, asyncio.timeout(5):
            async for frame in stream.frames():
                if frame.event == "accepted":
                    break
            async for _ in stream.chunks():
                break


async def test_silence_is_filled_with_comments() -> None:
    async with serving("demo=scripted:?prefill_ms=60000", keep_alive_s=0.02) as server:
        id = await started(server.url)
        async with watching(server.url, f"/v1/streams/{id}") as stream, asyncio.timeout(5):
            kept = 0
            async for chunk in stream.chunks():
                kept += chunk == b": keep-alive\n\n"
                if kept == 3:
                    break


async def test_no_two_watchers_come_back_at_the_same_time(server: Served) -> None:
    id = await started(server.url)
    await watched(server.url, id)
    retries = set()
    for _ in range(10):
        async with watching(server.url, f"/v1/streams/{id}") as stream:
            await stream.all()
            retries.add(stream.retry)
    assert len(retries) > 1


async def test_what_was_there_before_is_marked_and_what_comes_is_not() -> None:
    async with serving(SLOW) as server:
        id = await started(server.url)
        log = await server.gateway.open(id, "local")
        await until(lambda: log.tail >= 5)
        async with watching(server.url, f"/v1/streams/{id}") as stream:
            joined_at = None
            async for frame in stream.frames():
                if joined_at is None:
                    joined_at = int(stream.comments[0].rpartition("=")[2])
                assert frame.data.get("replay", False) == (frame.data["o"] <= joined_at)
                if frame.data["o"] > joined_at + 3:
                    break


async def test_an_ended_generation_is_said_whole_in_few_frames(server: Served) -> None:
    id = await started(server.url)
    live = await watched(server.url, id)
    again = await watched(server.url, id)
    assert [frame.event for frame in again if frame.event != "progress"] == ["opened", "accepted", "delta", "end"]
    assert text(again) == text(live)
    assert all(frame.data["replay"] for frame in again)


async def test_every_choice_is_told_apart(server: Served) -> None:
    id = await started(server.url, n=3)
    frames = await watched(server.url, id)
    words = [text(frames, choice).split() for choice in range(3)]
    assert [[word.split(".")[1:] for word in said] for said in words] == [
        [[str(choice), str(index)] for index in range(20)] for choice in range(3)
    ]


async def test_logprobs_and_tool_calls_come_through() -> None:
    async with serving("demo=scripted:?tokens=3", "caller=scripted:?tool=look&tokens=3") as server:
        frames = await watched(server.url, await started(server.url, logprobs=True))
        assert sum(len(frame.data.get("logprobs", [])) for frame in frames) == 3
        frames = await watched(server.url, await started(server.url, model="caller"))
        calls = [call for frame in frames for call in frame.data.get("tool_calls", [])]
        assert calls[0]["function"]["name"] == "look"
        assert frames[-1].data["reason"] == "tool_calls"


# Positions


async def ended(server: Served) -> tuple[str, str, int]:
    """An ended generation: its id, its epoch, its last offset."""
    id = await started(server.url)
    await watched(server.url, id)
    log = await server.gateway.open(id, "local")
    return id, log.epoch, log.tail


@pytest.mark.parametrize("field", ["last_event_id", "after"])
async def test_a_position_in_the_address_is_gone_on_from(server: Served, field: str) -> None:
    id, epoch, tail = await ended(server)
    async with watching(server.url, f"/v1/streams/{id}?{field}={epoch}-4") as stream:
        frames = await stream.all()
    assert stream.headers["x-stream-from"] == "5"
    assert frames[0].data["o"] == 5
    assert frames[-1].position == f"{epoch}-{tail}"


async def test_the_header_wins_over_the_address_and_one_name_over_the_other(server: Served) -> None:
    id, epoch, _ = await ended(server)
    path = f"/v1/streams/{id}?after={epoch}-1&last_event_id={epoch}-3"
    async with watching(server.url, path, last_event_id=f"{epoch}-7") as stream:
        assert stream.headers["x-stream-from"] == "8"
    async with watching(server.url, path) as stream:
        assert stream.headers["x-stream-from"] == "4"


async def test_who_has_seen_the_end_is_told_that_there_is_no_more(server: Served, client: httpx.AsyncClient) -> None:
    id, epoch, tail = await ended(server)
    answer = await client.get(f"/v1/streams/{id}", headers={"last-event-id": f"{epoch}-{tail}"})
    assert (answer.status_code, answer.content) == (204, b"")


async def test_the_tail_of_a_running_generation_is_waited_at() -> None:
    async with serving("demo=scripted:?prefill_ms=60000") as server:
        id = await started(server.url)
        log = await server.gateway.open(id, "local")
        await until(lambda: log.tail >= 1 and log.generation.state == "running")
        async with watching(server.url, f"/v1/streams/{id}?after={log.epoch}-{log.tail}") as stream:
            assert stream.status == 200
            await until(lambda: server.gateway.readers == 1)
            await server.gateway.cancel(id, "local")
            [end] = await stream.all()
            assert (end.event, end.data["reason"]) == ("end", "caller")


@pytest.mark.parametrize(
    ("position", "status", "code"),
    [
        ("otherone-3", 409, "epoch_mismatch"),
        ("{epoch}-999", 416, "past_the_end"),
        ("{epoch}", 400, "bad_position"),
        ("{epoch}-1-2", 400, "bad_position"),
        ("{epoch}--1", 400, "bad_position"),
        ("17", 400, "bad_position"),
    ],
)
async def test_a_wrong_position_is_told_with_what_is_known(
    server: Served, client: httpx.AsyncClient, position: str, status: int, code: str
) -> None:
    id, epoch, tail = await ended(server)
    answer = await client.get(f"/v1/streams/{id}", params={"after": position.format(epoch=epoch)})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["retry"]) == (status, code, False)
    if status != 400:
        assert (error["epoch"], error["earliest"], error["tail"]) == (epoch, 0, tail)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_what_nobody_started_is_unknown_and_is_not_started(
    server: Served, client: httpx.AsyncClient, method: str
) -> None:
    answer = await client.request(method, "/v1/streams/gen_nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_generation")
    assert server.gateway.running == 0


async def test_what_was_kept_long_enough_is_expired() -> None:
    async with serving("demo=scripted:?tokens=2", keep_ended_s=0) as server:
        id = await started(server.url)
        log = await server.gateway.open(id, "local")
        await until(lambda: log.ended)
        await server.gateway._logs.sweep()
        async with httpx.AsyncClient(base_url=server.url) as client:
            answer = await client.get(f"/v1/streams/{id}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "expired")


# As JSON


async def test_who_wants_json_gets_it_whole(server: Served, client: httpx.AsyncClient) -> None:
    id, epoch, tail = await ended(server)
    answer = await client.get(f"/v1/streams/{id}", headers={"accept": "application/json"})
    told = answer.json()
    assert (told["id"], told["epoch"], told["tail"], told["state"]) == (id, epoch, tail, "finished")
    assert told["choices"] == [
        {"index": 0, "text": text(await watched(server.url, id)), "finish_reason": "stop"},
    ]
    assert told["prompt"] == {"messages": CHAT["messages"]}


async def test_a_snapshot_of_what_runs_can_be_gone_on_from() -> None:
    async with serving("demo=scripted:?token_ms=2&tokens=60") as server:
        id = await started(server.url)
        log = await server.gateway.open(id, "local")
        await until(lambda: log.tail >= 10)
        async with httpx.AsyncClient(base_url=server.url) as client:
            told = (await client.get(f"/v1/streams/{id}", headers={"accept": "application/json"})).json()
        rest = await watched(server.url, id, f"{told['epoch']}-{told['tail']}")
        assert told["choices"][0]["text"] + text(rest) == text(await watched(server.url, id))


async def test_a_head_says_where_it_stands_and_reads_nothing(server: Served, client: httpx.AsyncClient) -> None:
    id, epoch, _ = await ended(server)
    answer = await client.head(f"/v1/streams/{id}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert (answer.headers["x-stream-epoch"], answer.headers["x-stream-state"]) == (epoch, "finished")
    assert server.gateway.readers == 0


# Stopping and leaving


async def test_a_stop_is_answered_when_it_is_done_and_twice_is_no_error() -> None:
    async with serving(SLOW) as server, httpx.AsyncClient(base_url=server.url) as client:
        id = await started(server.url)
        await until(lambda: engine_of(server).running == 1)
        for _ in range(2):
            answer = await client.delete(f"/v1/streams/{id}")
            assert (answer.status_code, answer.json()) == (200, {"id": id, "state": "canceled"})
            assert engine_of(server).running == 0
        end = (await watched(server.url, id))[-1]
        assert (end.data["state"], end.data["reason"]) == ("canceled", "caller")


async def test_a_watcher_that_leaves_stops_nobody() -> None:
    async with serving(SLOW, abandon_after_s=60) as server:
        id = await started(server.url)
        async with watching(server.url, f"/v1/streams/{id}") as stays:
            async with watching(server.url, f"/v1/streams/{id}") as leaves:
                await until(lambda: server.gateway.readers == 2)
                async for frame in leaves.frames():
                    if frame.event == "delta":
                        break
            await until(lambda: server.gateway.readers == 1)
            seen = 0
            async for frame in stays.frames():
                seen += frame.event == "delta"
                if seen == 10:
                    break
        await until(lambda: server.gateway.readers == 0)
        assert engine_of(server).running == 1


async def test_what_nobody_watches_any_more_is_stopped_after_its_grace() -> None:
    async with serving(SLOW, abandon_after_s=0.05) as server:
        id = await started(server.url)
        async with watching(server.url, f"/v1/streams/{id}") as stream:
            async for frame in stream.frames():
                if frame.event == "delta":
                    break
        await until(lambda: engine_of(server).running == 0)
        end = (await watched(server.url, id))[-1]
        assert (end.data["state"], end.data["reason"]) == ("canceled", "abandoned")


async def test_a_failure_is_the_end_and_says_whether_to_try_again() -> None:
    async with serving("demo=scripted:?fail_at=3") as server:
        end = (await watched(server.url, await started(server.url)))[-1]
        assert end.data["state"] == "failed"
        assert end.data["error"]["code"] == "engine_failed"
        assert end.data["error"]["retry"] is True


async def test_a_boot_is_told_stage_by_stage() -> None:
    async with serving("demo=scripted:?boot_ms=50&tokens=2", preload=False) as server:
        frames = await watched(server.url, await started(server.url))
        stages = [(frame.data["stage"], frame.data["message"]) for frame in frames if frame.event == "progress"]
        assert stages[-1] == ("booting", "pretending to load")
        assert text(frames)


async def test_ten_starts_at_once_do_not_cross() -> None:
    async with serving("demo=scripted:?token_ms=1&tokens=10") as server:
        asked = [[{"role": "user", "content": f"question {index}"}] for index in range(10)]
        ids = await asyncio.gather(*(started(server.url, messages=each) for each in asked))
        answers = await asyncio.gather(*(watched(server.url, id) for id in ids))
        assert len({text(frames) for frames in answers}) == 10
