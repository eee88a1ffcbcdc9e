"""The periods that budgets count in: UTC, and a week begins on Monday."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final, NamedTuple, get_args

from gateway.keys import Period

DAY_S: Final = 86400.0
PERIODS: Final[tuple[Period, ...]] = get_args(Period)


class Span(NamedTuple):
    """One period: a name that no other one has, and when it ends (unix seconds; None: never)."""

    name: str
    end: float | None


def span(period: Period, at: float) -> Span:
    """The period of that kind around a moment (unix seconds)."""
    midnight = datetime.combine(datetime.fromtimestamp(at, UTC), time(), UTC)
    if period == "day":
        return _span(f"{midnight:%Y-%m-%d}", midnight + timedelta(days=1))
    if period == "week":
        year, week, weekday = midnight.isocalendar()
        return _span(f"{year}-W{week:02}", midnight + timedelta(days=8 - weekday))
    if period == "month":
        return _span(f"{midnight:%Y-%m}", (midnight.replace(day=1) + timedelta(days=32)).replace(day=1))
    return Span("total", None)


def spans(at: float) -> list[Span]:
    """Every period around a moment: what is spent counts in all of them."""
    return [span(period, at) for period in PERIODS]


def day(at: float) -> str:
    """The day of a moment, as 2026-01-31."""
    return span("day", at).name


def months(at: float) -> list[str]:
    """The month of a moment, and the one before it."""
    this = datetime.fromtimestamp(at, UTC).replace(day=1)
    return [f"{this - timedelta(days=1):%Y-%m}", f"{this:%Y-%m}"]


def moment(end: float | None) -> str | None:
    """A period's end for people, as 2026-02-01T00:00:00Z."""
    return None if end is None else f"{datetime.fromtimestamp(end, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _span(name: str, end: datetime) -> Span:
    return Span(name, end.timestamp())
