"""What is measured of an OpenAI answer does not depend on how the network cuts it."""

from __future__ import annotations

import pytest

from loadtest.plan import Harm
from loadtest.surfaces.openai import Completion
from tests.loadtest.fake_openai import events

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def answer(model: str = "demo", tokens: int = 3) -> bytes:
    return HEAD + b"".join(map(chunk, events(model, tokens))) + b"0\r\n\r\n"


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def test_an_answer_split_at_every_byte_is_counted_the_same() -> None:
    """Tokens, usage and the end are found wherever a read stops."""
    whole = answer()
    for at in range(len(whole) + 1):
        answered = Completion(b"")
        answered.feed(whole[:at], 1)
        answered.feed(whole[at:], 2)
        outcome = answered.outcome

        assert answered.ended
        assert (outcome.events, outcome.tokens, outcome.prompt_tokens, outcome.error) == (3, 3, 7, None)


def test_an_answer_byte_by_byte_is_counted_the_same() -> None:
    """The worst network."""
    answered = Completion(b"")
    for byte in answer():
        answered.feed(bytes([byte]), 1)

    assert (answered.outcome.events, answered.outcome.tokens, answered.outcome.error) == (3, 3, None)


def test_the_first_token_is_not_the_first_event() -> None:
    """Neither comments nor the opening with its empty text are tokens."""
    comment, opening, first, *_ = events("demo", 3)
    answered = Completion(b"")
    for now, event in enumerate(
        [HEAD, *(b"%x\r\n%b\r\n" % (len(event), event) for event in (comment, opening, first))]
    ):
        answered.feed(event, now)

    assert (answered.outcome.first, answered.outcome.events) == (3, 1)


def test_tokens_that_arrive_together_make_one_gap() -> None:
    """A gap is a time in which a reader saw nothing new."""
    answered = Completion(b"")
    answered.feed(HEAD, 0)
    for now in (1, 3, 6):
        answered.feed(chunk(b"".join(events("demo", 2)[2:4])), now)

    assert (answered.outcome.first, [*answered.outcome.gaps], answered.outcome.events) == (1, [2, 3], 6)


def test_reasoning_and_tool_calls_are_tokens_too() -> None:
    """Whatever the model says counts, and what is empty does not."""
    says = [b'{"reasoning":"x"}', b'{"tool_calls":[{"index":0}]}', b'{"content": "x"}', b'{"text":"x"}']
    answered = Completion(b"")
    answered.feed(b"HTTP/1.1 200 OK\r\n\r\n", 0)
    for delta in [*says, b'{"content":""}', b'{"content":null}']:
        answered.feed(b"data: " + delta + b"\n\n", 1)

    assert answered.outcome.events == 4


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", "no_answer"),
        (HEAD, "cut_off"),
        (answer("cut"), "cut_off"),
        (answer("dies"), "engine_died"),
        (b'HTTP/1.1 429 No\r\n\r\n{"error":{"code":"rate_limited"}}', "429 rate_limited"),
        (b"HTTP/1.1 502 No\r\n\r\n<html>", "502"),
    ],
)
def test_what_went_wrong_is_named(sent: bytes, error: str) -> None:
    """By the server's own code where it gave one."""
    answered = Completion(b"")
    answered.feed(sent, 1)
    if not answered.ended:
        answered.lost(abruptly=False)

    assert answered.outcome.error == error


def test_it_is_asked_once() -> None:
    """There is nothing to go on with."""
    answered = Completion(b"POST")

    assert (answered.question(), answered.question()) == (b"POST", None)


def test_who_leaves_reads_no_further() -> None:
    """Once as many events said something as it wanted."""
    answered = Completion(b"", Harm(leave_after=2))
    answered.feed(answer(), 1)

    assert (answered.ended, answered.outcome.left, answered.outcome.error) == (True, "canceled", None)


def test_a_refusal_with_a_length_needs_no_end_of_the_connection() -> None:
    """Servers that keep connections open are not waited for."""
    answered = Completion(b"")
    answered.feed(b'HTTP/1.1 429 No\r\ncontent-length: 33\r\n\r\n{"error":{"code":"rate_limited"}}', 1)

    assert (answered.ended, answered.outcome.error) == (True, "429 rate_limited")
