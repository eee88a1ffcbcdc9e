"""What people meet and what is paid, by hand and in general."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as some

from loadtest.warmth.simulator import simulate


def test_a_trace_by_hand() -> None:
    """A boot takes 10 s, and it goes cold 30 s after the last call; open from 200 to 300 and from 330 to 400."""
    people = [
        0,  # boots it
        4,  # meets it booting
        20,  # warm
        50,  # cold again, since 50
        195,  # booting ahead of the window
        250,  # warm
        299,  # warm, and keeps it so over the gap
        401,  # cold: the last call is longer ago than 30 s
    ]
    outcome = simulate(people, [(200, 300), (330, 400)], end=1000, boot_s=10, idle_s=30)

    assert outcome.waits == [10, 6, 0, 10, 5, 0, 0, 10]
    assert (outcome.cold, outcome.boots) == (5, 4)
    assert outcome.paid_s == 50 + 40 + 210 + 40
    assert (outcome.wait(0.5), outcome.wait(1.0)) == (5, 10)


def test_what_is_warm_at_the_end_is_paid_to_the_end() -> None:
    outcome = simulate([950], [(900, 1000)], end=1000, boot_s=10, idle_s=600)
    assert outcome.paid_s == 110


def test_nobody_and_no_hours_cost_nothing() -> None:
    outcome = simulate([], [], end=1000, boot_s=10, idle_s=30)
    assert (outcome.paid_s, outcome.boots, outcome.share) == (0, 0, 0)


gaps = some.lists(some.integers(0, 300), max_size=60)


@given(gaps, some.lists(some.integers(1, 400), max_size=20), some.integers(0, 120), some.integers(0, 600))
def test_within_its_hours_it_is_warm_and_it_is_paid_no_more_than_all_the_time(
    between: list[int], edges: list[int], boot_s: int, idle_s: int
) -> None:
    people, bounds = list(accumulate(between)), list(accumulate(edges, initial=100))
    spans = list(zip(bounds[::2], bounds[1::2], strict=False))
    end = max([*people, *bounds]) + 1000
    outcome = simulate(people, spans, end, boot_s, idle_s)

    waited = dict(zip(people, outcome.waits, strict=True))
    assert all(waited[at] == 0 for at in people if any(opens <= at < closes for opens, closes in spans))
    assert sum(closes - opens for opens, closes in spans) <= outcome.paid_s <= end + boot_s
    assert outcome.cold == 0 or outcome.boots > 0
