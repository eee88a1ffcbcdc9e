"""Readers against servers that lie, drop and fall silent: each broken promise is found and named."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from loadtest.chaos.connection import Cut, Lost, Silent, connected
from loadtest.chaos.plan import Ask, Phase, Plan
from loadtest.chaos.readers import Json, Native, OpenAI, Plain, Reader
from loadtest.chaos.replicas import Process
from loadtest.chaos.story import Gone, Violation, judge
from loadtest.chaos.tally import Tally

PLAN = Plan(1, 1, (Phase("none", 1, ("kill",)),), (10, 10), patience_s=0.3)
STALL = b"(stall)"


def answer(body: bytes, status: int = 200, kind: str = "text/event-stream", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def events(*texts: str, first: int = 0, end: bool = False) -> bytes:
    said = b""
    for offset, text in enumerate(texts, first):
        data = json.dumps({"o": offset, "n": 1, "c": 0, "d": text})
        said += f"id: e-{offset}\nevent: delta\ndata: {data}\n\n".encode()
    if end:
        offset = first + len(texts)
        said += f'id: e-{offset}\nevent: end\ndata: {{"o":{offset},"n":1,"state":"finished"}}\n\n'.encode()
    return said


def chunks(*texts: str, done: bool = True) -> bytes:
    said = "".join(f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n" for text in texts)
    return (said + "data: [DONE]\n\n" * done).encode()


def error(code: str, retry: bool = True) -> bytes:
    return json.dumps({"error": {"code": code, "retry": retry}}).encode()


CREATED = answer(b'{"id":"gen_1"}', 201, "application/json")
WHOLE = answer(events("one", " two", end=True))


@asynccontextmanager
async def saying(*answers: bytes) -> AsyncIterator[tuple[list[Process], list[str]]]:
    """A server that gives these answers, one for each connection, and then is gone; and what it was asked."""
    left, asked = list(answers), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        said = left.pop(0) if left else b""
        writer.write(said.removesuffix(STALL))
        if said.endswith(STALL):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield [Process("fake", [], Path("none"), server.sockets[0].getsockname()[1])], asked
    finally:
        server.close()


def reader(kind: type[Reader], replicas: list[Process]) -> tuple[Reader, Tally]:
    tally = Tally()
    tally.begin("only")
    return kind(PLAN, Ask("m", "tell", 10), replicas, tally, random.Random(1), cuts=False), tally


async def broken(kind: type[Reader], *answers: bytes) -> str:
    """The promise that these answers break."""
    async with saying(*answers) as (replicas, _):
        with pytest.raises(Violation) as found:
            await reader(kind, replicas)[0].read()
    return str(found.value).partition(":")[0]


async def test_a_connection_is_cut_at_its_byte() -> None:
    async with saying(b"0123456789") as (replicas, _), connected(replicas[0].port, 4, 5) as connection:
        connection.send(b"GET / HTTP/1.1\r\n\r\n")
        said = b""
        with pytest.raises(Cut):
            while True:
                said += await connection.receive()
        assert said == b"0123"


async def test_a_connection_that_is_closed_or_silent_or_not_there_is_told_apart() -> None:
    async with saying(b"", STALL) as (replicas, _):
        for expected in (Lost, Silent):
            async with connected(replicas[0].port, None, 0.2) as connection:
                connection.send(b"GET / HTTP/1.1\r\n\r\n")
                with pytest.raises(expected):
                    await connection.receive()
    with pytest.raises(Lost):
        async with connected(replicas[0].port, None, 5):
            pass


async def test_a_reader_goes_on_where_it_was_sent_away() -> None:
    cut = answer(events("one") + b'event: cut\ndata: {"code":"draining"}\n\n')
    async with saying(CREATED, cut, answer(events(" two", first=1, end=True))) as (replicas, asked):
        one, tally = reader(Native, replicas)
        await one.read()
    judge(one.story, "one two")
    assert "last-event-id: e-0" in asked[2] and tally.now.met["sent away: draining"] == 1


@pytest.mark.parametrize("code", ["epoch_mismatch", "trimmed", "past_the_end"])
async def test_a_reader_whose_position_is_refused_begins_anew(code: str) -> None:
    cut = answer(events("six") + b'event: cut\ndata: {"code":"lost_lease"}\n\n')
    async with saying(CREATED, cut, answer(error(code), 409, "application/json"), WHOLE) as (replicas, asked):
        one, tally = reader(Native, replicas)
        await one.read()
    judge(one.story, "one two")
    assert "last-event-id" not in asked[3] and tally.now.met[code] == 1


async def test_a_resumable_stream_of_openai_goes_on_at_its_location() -> None:
    first = answer(
        b'id: e-0\ndata: {"choices":[{"delta":{"content":"one"}}]}\n\ndata: {"error":{"code":"draining"}}\n\n'
    )
    first = first.replace(b"content-type", b"location: /v1/streams/gen_1\r\ncontent-type")
    async with saying(first, answer(events(" two", first=1, end=True))) as (replicas, asked):
        one, _ = reader(OpenAI, replicas)
        await one.read()
    judge(one.story, "one two")
    assert asked[1].startswith("GET /v1/streams/gen_1 ") and "last-event-id: e-0" in asked[1]


async def test_a_lost_log_is_told_apart_from_a_broken_promise() -> None:
    async with saying(CREATED, answer(error("unknown_generation"), 404, "application/json")) as (replicas, _):
        with pytest.raises(Gone, match="unknown_generation"):
            await reader(Native, replicas)[0].read()


async def test_what_native_readers_must_not_meet_is_found() -> None:
    gap = answer(events("one") + events("three", first=2, end=True))
    assert await broken(Native, CREATED, gap) == "lost"
    assert await broken(Native, CREATED, answer(events("one") + events("one", end=True))) == "doubled"
    assert await broken(Native, CREATED, answer(events("one"))) == "silent_end"
    assert await broken(Native, CREATED, answer(b"", 204)) == "silent_end"
    assert await broken(Native, CREATED, WHOLE[:-5]) == "dropped"
    assert await broken(Native, CREATED, WHOLE[:-5] + STALL) == "hanging"
    assert await broken(Native, CREATED, answer(b"Internal Server Error", 500, "text/plain")) == "refused"


async def test_what_plain_readers_must_not_meet_is_found() -> None:
    assert await broken(Plain, answer(chunks("one", done=False))) == "silent_end"
    assert await broken(Plain, answer(chunks("one"))[:-3]) == "dropped"
    assert await broken(Plain, answer(b"Internal Server Error", 500, "text/plain")) == "refused"
    assert await broken(Json, answer(error("canceled", retry=False), 409, "application/json")) == "refused"


@pytest.mark.parametrize("harmed", [True, False])
async def test_a_plain_answer_is_whole_or_says_that_it_is_not(harmed: bool) -> None:
    plain = answer(b'{"choices":[{"message":{"content":"one"}}]}', 200, "application/json")
    refused = answer(error("draining"), 503, "application/json")
    told = []
    async with saying(plain, refused, plain[:-3]) as (replicas, _):
        for number in range(3):
            one, _ = reader(Json, replicas)
            if number == 2 and harmed:
                replicas[0].trouble()
            elif number == 2:
                with pytest.raises(Violation, match="dropped"):
                    await one.read()
                return
            await one.read()
            assert isinstance(one, Json)
            told.append(one.told)
    assert told == [None, "503 draining", "connection lost"]
