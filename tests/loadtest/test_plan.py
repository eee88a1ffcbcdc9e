"""A load is bounded, decided beforehand, and the same for the same seed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from loadtest.plan import Plan, PlanError, Shape

SHAPE = Shape("demo", prompt_words=(4, 9))


@pytest.mark.parametrize(
    "wish",
    [{"requests": 0}, {"requests": 10**6}, {"streams": 0}, {"streams": 5000}, {"seconds": 3600}, {"rate": 0}],
)
def test_a_load_without_bounds_is_refused(wish: dict[str, Any]) -> None:
    """Too many, too long, or none at all."""
    with pytest.raises(PlanError):
        Plan(SHAPE, **{"requests": 1, **wish})


def test_the_same_seed_asks_the_same() -> None:
    """Prompts and arrivals can be repeated on another server."""
    again = Shape("demo", prompt_words=(4, 9))

    assert [SHAPE.body(number) for number in range(50)] == [again.body(number) for number in range(50)]
    assert Plan(SHAPE, 50, rate=5).arrivals() == Plan(again, 50, rate=5).arrivals()


def test_no_two_requests_are_alike() -> None:
    """Neither within a run nor between seeds: a cache would answer."""
    other = Shape("demo", prompt_words=(4, 9), seed=1)

    assert len({shape.body(number) for shape in (SHAPE, other) for number in range(500)}) == 1000


def test_prompts_are_as_long_as_asked() -> None:
    """Between both ends, and each end is met."""
    prompts = [json.loads(SHAPE.body(number))["messages"][0]["content"] for number in range(500)]

    assert {len(prompt.partition(": ")[2].split()) for prompt in prompts} == {*range(4, 10)}


def test_arrivals_come_at_the_asked_rate() -> None:
    """A Poisson process: never backwards, and as many a second as asked, on average."""
    times = Plan(SHAPE, 5000, rate=20).arrivals()

    assert times[0] == 0
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert times[-1] == pytest.approx(5000 / 20, rel=0.05)


def test_what_is_not_asked_for_is_not_sent() -> None:
    """The server's own default temperature holds."""
    body = json.loads(SHAPE.body(0))

    assert "temperature" not in body
    assert body["ignore_eos"] and body["stream_options"] == {"include_usage": True}
