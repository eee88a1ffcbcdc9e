"""A reader notes what a server really sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadtest.address import Address
from loadtest.crowd.reader import Reader

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
OPEN = b"retry: 1500\n: open gen_1 epoch=e from=0 tail=1\n\n"
CUT = b'event: cut\ndata: {"code":"draining"}\n\n'


def frame(first: int, last: int, kind: str = "delta") -> bytes:
    """A native event with those offsets."""
    return b'id: e-%d\nevent: %s\ndata: {"o":%d,"n":%d}\n\n' % (last, kind.encode(), first, last - first + 1)


def chunks(*texts: bytes) -> bytes:
    """A whole answer, each text in a chunk of its own."""
    return HEAD + b"".join(b"%x\r\n%s\r\n" % (len(text), text) for text in (*texts, b""))


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[Address, list[bytes]]]:
    """A server with one answer for each connection; what it was asked."""
    left, asked = list(answers), list[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1]), asked


async def follow(reader: Reader, address: Address) -> None:
    """One connection, soon over."""
    async with asyncio.timeout(10):
        await reader.follow(address)


async def test_a_reader_goes_on_where_it_was() -> None:
    """Over two connections, with what the server said of coming back."""
    reader = Reader("gen_1")
    answers = chunks(OPEN, frame(0, 0) + frame(1, 3), CUT), chunks(OPEN, frame(4, 4), frame(5, 5, "end"))
    async with answering(*answers) as (address, asked):
        await follow(reader, address)
        assert (reader.trail.offset, reader.retry_s, reader.ended) == (3, 1.5, False)
        await follow(reader, address)

    assert (reader.trail.offset, reader.ended, len(reader.heads), dict(reader.errors)) == (5, True, 2, {})
    assert b"last-event-id" not in asked[0] and b"last-event-id: e-3\r\n" in asked[1]


async def test_what_is_lost_or_doubled_is_seen() -> None:
    """Offsets are dense."""
    reader = Reader("gen_1")
    async with answering(chunks(OPEN, frame(0, 1), frame(3, 3), frame(3, 4, "end"))) as (address, _):
        await follow(reader, address)

    assert reader.errors == {"lost": 1, "doubled": 1}


async def test_an_answer_that_ends_without_a_word_is_an_error() -> None:
    """Whole or not."""
    reader = Reader("gen_1")
    async with answering(chunks(OPEN, frame(0, 1)), HEAD, b"") as (address, _):
        for _ in range(3):
            await follow(reader, address)

    assert reader.errors == {"cut_off": 2, "no_answer": 1}


async def test_refusals_are_counted_by_their_code() -> None:
    """With their status."""
    body = b'{"error": {"code": "draining"}}'
    refusal = b"HTTP/1.1 503 no\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    reader = Reader("gen_1")
    async with answering(refusal) as (address, _):
        await follow(reader, address)

    assert reader.errors == {"503 draining": 1}


async def test_a_server_that_is_not_there_is_an_error() -> None:
    """And nothing else."""
    reader = Reader("gen_1")
    await follow(reader, Address("127.0.0.1", 1))

    assert reader.errors == {"ConnectionRefusedError": 1}
