"""The load test's own upstream: what it answers, at which pace, and what it says of those who leave."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from time import perf_counter

import pytest

from loadtest.address import Address
from loadtest.exchange import Exchange, HttpAnswer, post
from loadtest.steady import StreamedAnswer
from loadtest.upstream import Pace, Upstream
from tests.waiting import until


def asking(address: Address, tokens: int, stream: bool, headers: str = "") -> bytes:
    asked = {"messages": [{"role": "user", "content": "?"}], "max_tokens": tokens, "stream": stream}
    return post(address, "/v1/chat/completions", json.dumps(asked).encode(), headers)


@pytest.fixture
async def serving() -> AsyncIterator[Address]:
    """Ten milliseconds for everything."""
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Upstream(Pace(0.01, 0.01)), "127.0.0.1", 0) as server:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])


async def test_an_answer_has_its_tokens_at_the_pace(serving: Address) -> None:
    exchange, answer, begun = await Exchange.open(serving), StreamedAnswer(lambda events: None), perf_counter()
    await exchange.ask(asking(serving, 5, stream=True), answer)
    took = perf_counter() - begun
    exchange.close()
    assert (answer.tokens, answer.events) == (5, 1 + 5 + 3)
    assert answer.text is not None and 0.01 <= answer.text < took
    assert took >= 0.05


async def test_one_connection_asks_again_and_a_plain_answer_is_whole(serving: Address) -> None:
    exchange = await Exchange.open(serving)
    for _ in range(2):
        answer = HttpAnswer()
        await exchange.ask(asking(serving, 1, stream=False), answer)
        assert answer.status == 200 and answer.text is not None
    exchange.close()


@pytest.mark.parametrize("path", ["/health", "/v1/models"])
async def test_it_is_found_well(serving: Address, path: str) -> None:
    exchange, answer = await Exchange.open(serving), HttpAnswer()
    await exchange.ask(f"GET {path} HTTP/1.1\r\nhost: here\r\n\r\n".encode(), answer)
    exchange.close()
    assert answer.status == 200


async def test_who_leaves_is_told_by_the_id_that_was_given(
    serving: Address, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange, answer, said = await Exchange.open(serving), StreamedAnswer(lambda events: None), ""
    asked = asyncio.create_task(exchange.ask(asking(serving, 100_000, True, "X-Request-Id: gen_7\r\n"), answer))
    await until(lambda: answer.text is not None)
    left = perf_counter()
    exchange.close()
    with pytest.raises(ConnectionResetError):
        await asked

    def told() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return "\n" in said

    await until(told)
    [(id, at)] = re.findall(r"aborted (\S+) at (\S+)\n", said)
    assert id == "gen_7" and left <= float(at) <= perf_counter()


async def test_an_answer_that_is_whole_was_cut_off_by_nobody(
    serving: Address, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange, answer = await Exchange.open(serving), StreamedAnswer(lambda events: None)
    await exchange.ask(asking(serving, 2, stream=True), answer)
    exchange.close()
    other = await Exchange.open(serving)
    await other.ask(asking(serving, 1, stream=False), HttpAnswer())
    other.close()
    assert answer.tokens == 2 and capsys.readouterr().out == ""
