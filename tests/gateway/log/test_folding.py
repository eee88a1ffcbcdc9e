"""Which logs are answers for others, and that nothing of them is lost in a fold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engines.base import Accepted, Delta, Prompt, TokenLogprob
from gateway.events import Canceled, Event, Failed, Finished, Note, Opened, Output, Progress, Timings, Usage
from gateway.generation import Generation
from gateway.log.folding import Folding, incomplete
from gateway.log.local import Log

END = Finished("stop", Usage(3, 2, 1), Timings(0.1, 0.2, 0.3))
STOP = Delta(0, "!", (9,), "stop")


def generation(**parameters: Any) -> Generation:
    prompt = Prompt(texts=("once",), parameters=parameters)
    return Generation(id="gen_1", owner="ann", model="demo", prompt=prompt, created=1.0)


def logged(*events: Event, **parameters: Any) -> Log:
    log = Log(generation(**parameters), "epoch")
    log.extend([Opened("gen_1", "demo", 1.0), *events])
    return log


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (logged(Accepted(3), STOP, END), None),
        (logged(Accepted(3), Delta(0, "", (1,), "tool_calls"), END), None),
        (logged(Accepted(3), Delta(0, "a", (1,)), Delta(0, "b", (2,), "length"), END, max_tokens=2), None),
        (logged(Accepted(3), Delta(0, "b", (2,), "length"), END, max_tokens=2), "cut"),
        (logged(Accepted(3), Delta(0, "b", (2,), "length"), END), "cut"),
        (logged(Accepted(3), Delta(0, "b", (2,), "content_filter"), END), "filtered"),
        (logged(Accepted(3), STOP, END, n=2), "unfinished"),
        (logged(Accepted(3), STOP), "unfinished"),
        (logged(), "unfinished"),
        (logged(Accepted(3), STOP, Failed("engine_died", "", None, Usage(), Timings())), "unfinished"),
        (logged(Accepted(3), STOP, Canceled("abandoned", Usage(), Timings())), "unfinished"),
        (logged(Accepted(3), Note("takeover", ""), STOP, END), "continued"),
        (logged(Accepted(3), Note("other", ""), STOP, END), None),
    ],
)
def test_only_a_whole_answer_is_one_for_others(log: Log, why: str | None) -> None:
    assert incomplete(log) == why


LOGPROBS = some.builds(TokenLogprob, some.text(), some.floats(-20, 0), some.just((("a", -1.0),)))
DELTAS = some.builds(
    Delta,
    some.integers(0, 3),
    some.text(),
    some.lists(some.integers(0, 99)).map(tuple),
    some.sampled_from([None, "stop"]),
    some.none() | some.text() | some.integers(0, 9),
    some.text(),
    some.just(({"index": 0, "function": {"arguments": "{"}},)) | some.just(()),
    some.lists(LOGPROBS, max_size=2).map(tuple),
)


@given(some.lists(DELTAS, max_size=40))
def test_what_is_unfolded_says_what_was_folded(deltas: list[Delta]) -> None:
    said: list[Event] = [Accepted(3, 1), *deltas, Output({"a": [1, 2]}), END]
    folded = Folding().fold(logged(Progress("booting", "loading"), Progress("queued", "1 ahead"), *said))
    log = Folding().unfold(folded, generation())
    assert list(log.between(log.first, log.tail + 1)) == said
    assert log.ended and log.generation.state == "finished"


def test_a_long_answer_takes_less_room_than_it_has() -> None:
    log = logged(Accepted(3), *[Delta(0, "word ", (index,)) for index in range(1000)], STOP, END)
    assert len(Folding().fold(log)) < 6000


@given(some.binary())
def test_what_nobody_folded_is_refused(folded: bytes) -> None:
    try:
        Folding().unfold(folded, generation())
    except ValueError:
        return
    assert folded == b"\x90", "only an empty list of events is a fold by chance"
