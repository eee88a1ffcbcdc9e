"""How long somebody is told again, and when next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, none, text

from gateway.webhooks.patience import Patience, retry_after

NEVER_SHORT = 0.0
"""The draw that shortens nothing."""


def waits(patience, draw, asked_s=None):
    passed = 0.0
    found: list[float] = []
    while (wait := patience.wait_s(len(found) + 1, passed, draw, asked_s)) is not None:
        found.append(wait)
        passed += wait
    return found


def test_waits_double_up_to_the_longest_and_end_with_the_time():
    assert waits(Patience(), NEVER_SHORT) == [0.5, 1, 2, 4, 8, 16, 30, 30, 28.5]


@given(floats(0, 1, exclude_max=True))
def test_a_wait_is_shortened_by_half_at_most_and_all_of_them_take_the_whole_time(draw):
    found = waits(Patience(), draw)
    assert 9 <= len(found) <= 14
    assert sum(found) == pytest.approx(120)
    assert all(0.25 <= wait <= 30 for wait in found[:-1])


@given(integers(1, 10**9), floats(0, 1e9), floats(0, 1, exclude_max=True), none() | floats(0, 1e9))
def test_no_wait_is_longer_than_allowed(tries, passed, draw, asked):
    wait = Patience().wait_s(tries, passed, draw, asked)
    assert (wait is None) == (passed >= 120)
    assert wait is None or 0 < wait <= 30


def test_they_are_asked_when_they_want_to_be_within_bounds():
    assert Patience().wait_s(1, 0.0, NEVER_SHORT, 7.0) == 7
    assert Patience().wait_s(1, 0.0, NEVER_SHORT, 3600.0) == 30
    assert Patience().wait_s(1, 119.0, NEVER_SHORT, 7.0) == 1
    assert Patience().wait_s(5, 0.0, NEVER_SHORT, 1.0) == 8


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Mon, 12 Jan 1970 13:46:47 GMT", 7.0),
        ("Mon, 12 Jan 1970 13:46:39 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 400, None),
        ("", None),
        ("Mon, 12 Jan 99999 13:46:47 GMT", None),
    ],
)
def test_what_is_asked_for_is_seconds_or_a_date(written, seconds):
    assert retry_after(written, 1_000_000.0) == seconds


@given(text())
def test_nothing_that_they_write_breaks_it(written):
    found = retry_after(written, 1_000_000.0)
    assert found is None or found >= 0
