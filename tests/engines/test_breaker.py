"""An engine that fails again and again is left alone, and tried by one call at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.breaker import Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed(breaker.begin(), now)
    return breaker


def test_two_failures_in_a_row_are_borne_and_a_third_opens() -> None:
    breaker = Breaker()
    for _ in range(2):
        breaker.failed(breaker.begin(), 0.0)
        assert breaker.wait_s(0.0) == 0
    breaker.failed(breaker.begin(), 0.0)
    assert (breaker.is_open, breaker.wait_s(0.25)) == (True, 0.75)


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(10):
        breaker.failed(breaker.begin(), 0.0)
        breaker.failed(breaker.begin(), 0.0)
        breaker.succeeded(breaker.begin())
    assert not breaker.is_open


def test_a_thousand_that_fail_at_once_open_it_no_longer_than_three() -> None:
    breaker = Breaker()
    for call in [breaker.begin() for _ in range(1000)]:
        breaker.failed(call, 0.0)
    assert breaker.wait_s(0.0) == 1


def test_what_an_engine_asked_for_opens_at_once_and_for_at_most_a_minute() -> None:
    breaker = Breaker()
    breaker.failed(breaker.begin(), 0.0, wait_s=30)
    assert (breaker.wait_s(0.0), breaker.wait_s(30.0)) == (30, 0)
    breaker.failed(breaker.begin(), 30.0, wait_s=7200)
    assert breaker.wait_s(30.0) == 60


def test_what_it_still_gives_to_earlier_calls_does_not_close_what_it_asked_for() -> None:
    breaker = Breaker()
    early = breaker.begin()
    breaker.failed(breaker.begin(), 0.0, wait_s=30)
    breaker.succeeded(early)
    assert breaker.wait_s(0.0) == 30


def test_a_probe_goes_alone_until_it_is_over() -> None:
    breaker = opened()
    assert breaker.wait_s(1.0) == 0
    probe = breaker.begin()
    assert breaker.wait_s(1.0) > 0
    breaker.end(probe)
    assert breaker.wait_s(1.0) == 0, "it told nothing, so that another may go"


def test_a_call_from_before_ends_no_probe() -> None:
    breaker = Breaker()
    early = breaker.begin()
    for _ in range(3):
        breaker.failed(breaker.begin(), 0.0)
    breaker.begin()
    breaker.failed(early, 1.0)
    breaker.end(early)
    assert breaker.wait_s(1.0) > 0


def test_a_probe_that_is_answered_lets_all_through_and_one_that_fails_doubles_the_pause() -> None:
    breaker, now = opened(), 1.0
    for pause in (2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
        probe = breaker.begin()
        breaker.failed(probe, now)
        breaker.end(probe)
        assert breaker.wait_s(now) == pause
        now += pause
    probe = breaker.begin()
    breaker.succeeded(probe)
    breaker.end(probe)
    assert (breaker.is_open, breaker.wait_s(now)) == (False, 0)


@given(st.lists(st.tuples(st.sampled_from(["begin", "answer", "fail", "leave"]), st.integers(0, 5), st.floats(0, 5))))
def test_whatever_calls_do_at_most_one_probes_and_nobody_waits_for_more_than_a_minute(
    moves: list[tuple[str, int, float]],
) -> None:
    breaker, now, out = Breaker(), 0.0, list[tuple[int, bool]]()
    for move, which, passed in moves:
        now += passed
        if move == "begin":
            if not breaker.wait_s(now):
                out.append((breaker.begin(), breaker.is_open))
        elif out:
            call, _ = out.pop(which % len(out))
            if move == "answer":
                breaker.succeeded(call)
            elif move == "fail":
                breaker.failed(call, now)
            breaker.end(call)
        if breaker.is_open:
            assert sum(probe for _, probe in out) <= 1
        assert 0 <= breaker.wait_s(now) <= 60
