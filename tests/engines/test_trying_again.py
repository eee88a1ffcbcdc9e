"""What is done about an engine that broke, and when. The rest of the keeper is shown where it is played for weeks."""

from __future__ import annotations

import math

import pytest

from engines.base import State
from engines.keeper import Facts, Plan, decide, pause_s


def test_what_broke_is_tried_again_after_a_pause_though_nobody_asks_for_it() -> None:
    facts = Facts(State.BROKEN, since=100, failures=1, failed_at=100)
    assert decide(101, Plan(), facts)[:2] == (None, 105)
    assert decide(105, Plan(), facts) == ("boot", 105, "tries again")


def test_what_goes_cold_when_nobody_asks_is_not_tried_again_before_somebody_does() -> None:
    facts = Facts(State.BROKEN, since=100, failures=1, failed_at=100)
    assert decide(1_000, Plan(idle_s=300), facts) == (None, math.inf, "boots with the next request")


def test_what_is_cold_waits_for_a_request() -> None:
    assert decide(1_000, Plan(), Facts(State.COLD, since=100)).act is None


@pytest.mark.parametrize(("boot_s", "longest"), [(None, 300), (0.1, 30), (8, 80), (60, 300)])
def test_pauses_grow_to_ten_boots_but_neither_below_half_a_minute_nor_above_five(
    boot_s: float | None, longest: float
) -> None:
    pauses = [pause_s(failures, boot_s) for failures in range(1, 20)]
    assert pauses[:3] == [5, 10, 20]
    assert pauses[-1] == max(pauses) == longest
