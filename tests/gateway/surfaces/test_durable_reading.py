"""Every generation read as a durable stream, on real sockets: caught up with, polled, followed, gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.gateway.surfaces.raw import engine_of
from tests.gateway.surfaces.watching import Watching, started, text, watched, watching
from tests.serving import Served, serving
from tests.waiting import until

HUGE = "demo=scripted:?token_ms=2&tokens=200&word_bytes=30000"
NEXT = "stream-next-offset"


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with serving("demo=scripted:?token_ms=1&tokens=20") as served:
        yield served


@pytest.fixture
async def client(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


async def ended(url: str) -> str:
    """The address of a generation that has ended."""
    id = await started(url)
    await watched(url, id)
    return f"/v1/streams/{id}"


def said(records: list[dict[str, Any]]) -> str:
    return "".join(record.get("d", "") for record in records)


async def followed(stream: Watching) -> list[dict[str, Any]]:
    """The records of an event stream; each data must be followed by a control that leads on."""
    records: list[dict[str, Any]] = []
    frames = await stream.all()
    for data, control in zip(frames[::2], frames[1::2], strict=True):
        assert (data.event, control.event) == ("data", "control")
        array: Any = data.data
        records += array
    assert frames[-1].data["streamClosed"] is True
    return records


# Catching up


async def test_an_ended_generation_is_one_array_of_its_events(server: Served, client: httpx.AsyncClient) -> None:
    path = await ended(server.url)
    answer = await client.get(path, params={"offset": "-1"})
    records = answer.json()
    assert [record["o"] for record in records] == list(range(len(records)))
    assert (records[0]["t"], records[-1]["t"], records[-1]["state"]) == ("opened", "end", "finished")
    assert said(records) == text(await watched(server.url, path.rpartition("/")[2]))
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["stream-up-to-date"], answer.headers["stream-closed"]) == ("true", "true")
    assert answer.headers["x-content-type-options"] == "nosniff"
    rest = await client.get(path, params={"offset": answer.headers[NEXT]})
    assert (rest.json(), rest.headers["stream-closed"], rest.headers[NEXT]) == ([], "true", answer.headers[NEXT])
    again = await client.get(path, params={"offset": "-1"}, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_long_generation_comes_in_portions_that_join_to_the_whole() -> None:
    async with serving("demo=scripted:?tokens=100&word_bytes=9000") as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            path, offset = await ended(server.url), "-1"
            records: list[dict[str, Any]] = []
            answers: list[httpx.Response] = []
            while not answers or "stream-closed" not in answers[-1].headers:
                answers.append(await client.get(path, params={"offset": offset}))
                records += answers[-1].json()
                assert answers[-1].headers[NEXT] > offset or offset == "-1"
                offset = answers[-1].headers[NEXT]
        assert [record["o"] for record in records] == list(range(len(records)))
        assert len(said(records)) == 900_000
        assert len(answers) > 5
        for answer in answers[:-1]:
            assert "stream-up-to-date" not in answer.headers
            assert answer.headers["cache-control"].startswith("private, max-age=")
        assert answers[-1].headers["cache-control"] == "private, no-cache"


async def test_now_is_the_end_and_no_more(server: Served, client: httpx.AsyncClient) -> None:
    path = await ended(server.url)
    answer = await client.get(path, params={"offset": "now"})
    assert (answer.json(), answer.headers["stream-closed"]) == ([], "true")
    assert (answer.headers["cache-control"], "etag" in answer.headers) == ("no-store", False)
    head = await client.head(path)
    assert (head.headers[NEXT], head.headers["stream-closed"]) == (answer.headers[NEXT], "true")
    assert (head.headers["cache-control"], head.content) == ("no-store", b"")


async def test_without_its_parameters_the_native_dialects_answer(server: Served, client: httpx.AsyncClient) -> None:
    path = await ended(server.url)
    assert (await client.get(path)).headers["content-type"] == "text/event-stream"
    assert (await client.get(path, headers={"accept": "application/json"})).json()["object"] == "stream"
    assert (await client.get(f"{path}?cursor=1")).headers["content-type"] == "text/event-stream"


# Wrong places


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("offset=", 400, "bad_position"),
        ("offset={epoch}-3", 400, "bad_position"),
        ("offset=-1&offset=-1", 400, "bad_position"),
        ("live=sse", 400, "bad_position"),
        ("offset=-1&live=maybe", 400, "invalid_request"),
        ("offset=another_0000000000000003", 409, "epoch_mismatch"),
        ("offset=another_0000000000000003&live=sse", 409, "epoch_mismatch"),
        ("offset={epoch}_0000000000009999&live=long-poll", 416, "past_the_end"),
    ],
)
async def test_a_wrong_place_is_told_by_the_status(
    server: Served, client: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    path = await ended(server.url)
    epoch = (await client.head(path)).headers["x-stream-epoch"]
    answer = await client.get(f"{path}?{query.format(epoch=epoch)}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    if status in (409, 416):
        assert (error["epoch"], error["earliest"]) == (epoch, 0)


@pytest.mark.parametrize("name", ["gen_nothing", "nothing", "no/such/stream", "remote_1", "../healthz", "%00", "%ff"])
async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, name: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await client.request(method, f"/v1/streams/{name}", params={"offset": "-1"})
        assert answer.status_code == 404
        assert name == "../healthz" or answer.headers["x-content-type-options"] == "nosniff"


# Long polls


async def test_who_polls_sees_every_event_once() -> None:
    async with serving("demo=scripted:?token_ms=3&tokens=100") as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            path, records, turns = f"/v1/streams/{await started(server.url)}", [], 0
            query = {"offset": "-1", "live": "long-poll"}
            while True:
                answer = await client.get(path, params=query)
                turns += 1
                records += answer.json()
                query["offset"] = answer.headers[NEXT]
                if "stream-closed" in answer.headers:
                    break
                query["cursor"] = answer.headers["stream-cursor"]
        assert [record["o"] for record in records] == list(range(len(records)))
        assert records[-1]["t"] == "end" and turns > 5
        await until(lambda: server.gateway.readers == 0)


async def test_a_poll_through_a_silence_is_answered_with_nothing() -> None:
    silent = "demo=scripted:?stall_at=2"
    async with serving(silent, keep_alive_s=0.05) as server, httpx.AsyncClient(base_url=server.url) as client:
        path = f"/v1/streams/{await started(server.url)}"
        await until(lambda: engine_of(server).running == 1)
        offset, status = "-1", 200
        while status == 200:
            answer = await client.get(path, params={"offset": offset, "live": "long-poll"})
            offset, status = answer.headers[NEXT], answer.status_code
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["stream-up-to-date"] == "true" and "stream-closed" not in answer.headers
        assert int(answer.headers["stream-cursor"]) > 0


async def test_a_poll_at_the_end_of_what_has_ended_does_not_wait(server: Served, client: httpx.AsyncClient) -> None:
    path = await ended(server.url)
    async with asyncio.timeout(5):
        answer = await client.get(path, params={"offset": "now", "live": "long-poll"})
    assert (answer.status_code, answer.headers["stream-closed"]) == (204, "true")


async def test_who_leaves_a_poll_is_no_reader_any_more() -> None:
    async with serving("demo=scripted:?stall_at=0", abandon_after_s=0.05, engine_silence_s=60) as server:
        path = f"/v1/streams/{await started(server.url)}"
        async with httpx.AsyncClient(base_url=server.url) as client:
            polling = asyncio.create_task(client.get(path, params={"offset": "now", "live": "long-poll"}))
            await until(lambda: server.gateway.readers == 1)
            polling.cancel()
            await asyncio.wait([polling])
        await until(lambda: server.gateway.readers == 0)
        await until(lambda: server.gateway.running == 0)


# Event streams


async def test_who_follows_sees_every_event_once() -> None:
    async with serving("demo=scripted:?token_ms=2&tokens=50") as server:
        id = await started(server.url)
        async with watching(server.url, f"/v1/streams/{id}?offset=-1&live=sse") as stream:
            assert stream.headers["content-type"] == "text/event-stream"
            assert "stream-sse-data-encoding" not in stream.headers
            records = await followed(stream)
        assert [record["o"] for record in records] == list(range(len(records)))
        assert said(records) == text(await watched(server.url, id))


async def test_wherever_a_follower_is_cut_off_it_goes_on_without_a_gap() -> None:
    async with serving("demo=scripted:?token_ms=1&tokens=60") as server:
        id = await started(server.url)
        records: list[dict[str, Any]] = []
        fresh: Any
        offset, closed, turns, fresh = "-1", False, 0, None
        while not closed:
            async with watching(server.url, f"/v1/streams/{id}?offset={offset}&live=sse") as stream:
                async for frame in stream.frames():
                    if frame.event == "control":
                        break
                    fresh = frame.data
            records += fresh or ()
            offset, closed = frame.data["streamNextOffset"], frame.data.get("streamClosed", False)
            turns, fresh = turns + 1, None
        assert [record["o"] for record in records] == list(range(len(records)))
        assert records[-1]["t"] == "end" and turns > 3


async def test_who_is_up_to_date_hears_so_at_once_and_keep_alives_then() -> None:
    async with serving("demo=scripted:?stall_at=2", keep_alive_s=0.02) as server:
        id = await started(server.url)
        async with watching(server.url, f"/v1/streams/{id}?offset=now&live=sse") as stream:
            async for frame in stream.frames():
                if frame.event == "control":
                    break
            assert frame.data["upToDate"] is True and "streamCursor" in frame.data
            async with asyncio.timeout(10):
                async for chunk in stream.chunks():
                    if chunk == b": keep-alive\n\n":
                        break


async def test_an_event_stream_is_ended_after_a_while_and_can_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.surfaces.durable_reading.ROTATE_S", 0.0)
    async with serving("demo=scripted:?token_ms=1&tokens=10") as server:
        path = await ended(server.url)
        async with watching(server.url, f"{path}?offset=-1&live=sse") as stream:
            frames = await stream.all()
        assert [frame.event for frame in frames] == ["data", "control"]
        await until(lambda: server.gateway.readers == 0)


async def test_a_server_that_goes_down_sends_live_readers_away() -> None:
    # A stream of a remote producer, for a generation would end at that moment.
    async with serving(durable_writes=True) as server, httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        await client.put("/v1/streams/idle")
        polling = asyncio.create_task(client.get("/v1/streams/idle", params={"offset": "now", "live": "long-poll"}))
        following = asyncio.create_task(client.get("/v1/streams/idle", params={"offset": "now", "live": "sse"}))
        await until(lambda: server.gateway.readers == 2)
        await server.gateway.drain(0)
        polled, followed = await polling, await following
    assert (polled.status_code, polled.headers["stream-up-to-date"]) == (204, "true")
    assert "stream-closed" not in polled.headers
    assert followed.text.endswith('"upToDate":true}\n\n: draining\n\n')


async def test_a_follower_that_takes_nothing_is_cut_and_the_others_see_nothing() -> None:
    async with serving(HUGE, reader_stall_s=0.3) as server:
        id = await started(server.url)
        path = f"/v1/streams/{id}?offset=-1&live=sse"
        async with watching(server.url, path, receive_buffer=4096):
            async with watching(server.url, path) as other:
                records = await followed(other)
            await until(lambda: server.gateway.readers == 0, 15)
        assert records[-1]["timings"]["total"] < 5
        assert said(records) == text(await watched(server.url, id))
