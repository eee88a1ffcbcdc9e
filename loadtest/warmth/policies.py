"""When an engine is kept warm: by fixed hours, by learned ones, always, never; by the very functions that decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engines.habits import QUARTER_S, Bounds, learn
from engines.hours import ActiveHours, Hours
from loadtest.plan import PlanError
from loadtest.warmth.simulator import Span


class Policy(NamedTuple):
    """A name, and the hours that are kept in the week which begins at a moment (unix seconds)."""

    name: str
    hours: Callable[[float], Hours]


def fixed(windows: Sequence[str], zone: ZoneInfo) -> Policy:
    """The same windows each week. Raises PlanError."""
    try:
        hours = ActiveHours.parse(windows, zone.key)
    except ValueError as error:
        raise PlanError(str(error)) from None
    return Policy("fixed hours", lambda _: hours)


def always(zone: ZoneInfo) -> Policy:
    """Warm day and night."""
    return fixed(["daily 00:00-24:00"], zone)._replace(name="always on")


def never(zone: ZoneInfo) -> Policy:
    """Booted by who comes, warm until it is idle."""
    return fixed([], zone)._replace(name="on demand")


def learned(arrivals: Sequence[float], since: float, zone: ZoneInfo, bounds: Bounds) -> Policy:
    """Learned anew before each week, from arrivals counted since a moment; `learn` looks at nothing later."""
    counts = Counter(map(_quarter, arrivals))
    counts.setdefault(_quarter(since), 0)
    return Policy("learned hours", lambda begin: learn(counts, zone, begin, bounds))


def spans(policy: Policy, weeks: Sequence[Span]) -> Iterator[Span]:
    """When the hours of a policy are open, week by week (unix seconds)."""
    for begin, end in weeks:
        hours = policy.hours(begin)
        now, opened = begin, begin if hours.at(begin) else None
        while (change := hours.next_change(now)) and change.at < end:
            if opened is not None:
                yield opened, change.at
            now, opened = change.at, change.at if change.kind == "opens" else None
        if opened is not None:
            yield opened, end


def _quarter(at: float) -> int:
    """The beginning of its quarter of an hour."""
    return int(at // QUARTER_S) * QUARTER_S
