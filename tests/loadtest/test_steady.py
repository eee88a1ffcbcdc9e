"""Streams without end: what counts is what came in the measured time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadtest.address import Address
from loadtest.recipes import upstream
from loadtest.servers import running
from loadtest.steady import Steady, StreamedAnswer, chat, steady


def test_tokens_are_what_a_whole_answer_says_of_itself() -> None:
    body = b'data: {"usage":{"prompt_tokens":8,"completion_tokens":7}}\n\ndata: [DONE]\n\n\r\n0\r\n\r\n'
    counted: list[int] = []
    whole, cut = StreamedAnswer(counted.append), StreamedAnswer(lambda events: None)
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert whole.feed(head + body, 0.1)
    assert not cut.feed(head + body[:60], 0.1)
    assert (whole.tokens, whole.events, sum(counted), cut.tokens) == (7, 2, 2, 0)


def test_a_refusal_has_no_tokens() -> None:
    answer = StreamedAnswer(lambda events: None)
    said = b'data: {"usage":{"completion_tokens":7}}\n\ndata: [DONE]\n\n'
    answer.feed(b"HTTP/1.1 429 Busy\r\ncontent-length: %d\r\n\r\n" % len(said) + said, 0.1)
    assert answer.tokens == 0


def test_streams_at_a_stated_pace_give_that_many_tokens(tmp_path: Path) -> None:
    """Eight streams, a token every ten milliseconds each: 800 a second, and more where all begin an answer at once."""
    with running(upstream("upstream", prefill_ms=10, token_ms=10), tmp_path) as server:
        address = Address.of(server.url)

        def ask(number: int) -> bytes:
            return chat(address, str(number), 40)

        found = steady(address, ask, 8, 0.2, 1.0, {"server": server.pid, "self": os.getpid()})
    assert found.wrong == 0 and found.seconds > 0.9
    assert 100 < found.per_second < 1000
    assert found.all_tokens % 40 == 0 and found.all_tokens > found.tokens
    assert 1 < found.events_per_token < 1.2
    assert set(found.cpu) == {"server", "self"} and found.share("server") < 1 and found.us("server") >= 0


def test_what_was_not_seen_has_no_cost() -> None:
    nothing = Steady(0, 1, {"server": 0.5}, 0.1, 1, 0, 0)
    assert nothing.us("server") != nothing.us("server")
    assert nothing.client_share == pytest.approx(0.1)
