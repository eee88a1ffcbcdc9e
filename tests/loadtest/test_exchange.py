"""Answers of HTTP and of Redis, in whatever pieces they arrive."""

from __future__ import annotations

import asyncio

import pytest

from loadtest.address import Address
from loadtest.exchange import Exchange, HttpAnswer, post
from loadtest.hit.bare import Value, get

PLAIN = b'HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nContent-Length: 16\r\n\r\n{"content": "a"}'
STREAMED = (
    b"HTTP/1.1 200 OK\r\nx-cache: MISS\r\ntransfer-encoding: chunked\r\n\r\n"
    b'15\r\ndata: {"content":""}\n\r\n16\r\ndata: {"content":"a"}\n\r\n0\r\n\r\n'
)


@pytest.mark.parametrize("sent", [PLAIN, STREAMED])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_ends_with_its_last_byte(sent: bytes, size: int) -> None:
    """And says what the cache had for it."""
    answer = HttpAnswer()
    pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
    ended = [answer.feed(piece, float(number)) for number, piece in enumerate(pieces, 1)]

    assert ended == [False] * (len(pieces) - 1) + [True]
    assert (answer.status, answer.outcome) == (200, "HIT" if sent is PLAIN else "MISS")
    assert answer.first == 1
    assert answer.size == len(sent.partition(b"\r\n\r\n")[2])


def test_an_empty_text_is_no_text() -> None:
    answer = HttpAnswer()
    head, first, second = STREAMED.partition(b"16\r\n")[0], b"16\r\n", STREAMED.partition(b"16\r\n")[2]
    answer.feed(head, 1)
    assert (answer.first, answer.text) == (1, None)
    assert answer.feed(first + second, 2) and answer.text == 2


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_value_ends_with_its_last_byte(size: int) -> None:
    value, sent = Value(), b"$5\r\nhello\r\n"
    ended = [value.feed(sent[start : start + size], start) for start in range(0, len(sent), size)]

    assert ended == [False] * (len(ended) - 1) + [True]
    assert (value.size, value.first, value.good) == (5, 0, True)


def test_no_value_is_not_what_was_wanted() -> None:
    value = Value()
    assert value.feed(b"$-1\r\n", 1) and not value.good
    assert get("ab") == b"*2\r\n$3\r\nGET\r\n$2\r\nab\r\n"


async def test_questions_follow_each_other_on_one_connection_until_it_is_cut() -> None:
    """Which is told, and not waited for."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (PLAIN, STREAMED, b""):
            asked.append(await reader.readuntil(b"{}"))
            writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with asyncio.timeout(5), await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = Address(*server.sockets[0].getsockname())
        exchange = await Exchange.open(address)
        for outcome in ("HIT", "MISS"):
            answer = HttpAnswer()
            await exchange.ask(post(address, "/here", b"{}"), answer)
            assert answer.outcome == outcome
        with pytest.raises(ConnectionError):
            await exchange.ask(post(address, "/here", b"{}"), HttpAnswer())
        exchange.close()
    assert len(asked) == 3 and asked[0].startswith(b"POST /here HTTP/1.1\r\nhost: 127.0.0.1:")
