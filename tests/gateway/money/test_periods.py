"""Periods are those of the calendar, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as some

from gateway.money.periods import PERIODS, moment, months, span, spans

moments = some.floats(0, 4_000_000_000)


def at(written: str) -> float:
    return datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp()


def test_a_moment_lies_in_one_period_of_each_kind() -> None:
    told = [(name, moment(end)) for name, end in spans(at("2026-12-31T23:59:59"))]
    assert told == [
        ("2026-12-31", "2027-01-01T00:00:00Z"),
        ("2026-W53", "2027-01-04T00:00:00Z"),
        ("2026-12", "2027-01-01T00:00:00Z"),
        ("total", None),
    ]


def test_a_week_begins_on_monday() -> None:
    assert span("week", at("2026-11-22T23:59:59")) != span("week", at("2026-11-23T00:00:00"))


def test_caps_are_known_for_this_month_and_the_one_before() -> None:
    assert months(at("2026-01-31T12:00:00")) == ["2025-12", "2026-01"]


@given(moments)
def test_a_period_lasts_to_its_end_and_no_longer(now: float) -> None:
    for kind in PERIODS:
        name, end = span(kind, now)
        if end is not None:
            assert now < end
            assert span(kind, end - 0.001).name == name != span(kind, end).name


@given(moments)
def test_names_of_different_kinds_never_meet(now: float) -> None:
    assert len({each.name for each in spans(now)}) == len(PERIODS)
