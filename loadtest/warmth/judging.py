"""Weeks judged by several policies: what each costs, and who met a cold engine. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from engines.habits import Bounds
from loadtest.plan import PlanError
from loadtest.report import table
from loadtest.warmth.policies import Policy, always, fixed, learned, never, spans
from loadtest.warmth.simulator import Outcome, Span, simulate
from loadtest.warmth.weeks import MOST_WEEKS, midnight, monday

CEILINGS: Final = tuple(map(float, range(0, 25, 2)))
"""Hours a day, for the curve of what learned hours bring."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The engine, its price, what it may learn from, and for how long it is judged."""

    zone: ZoneInfo
    bounds: Bounds
    history_weeks: int = 4
    judged_weeks: int = 4
    idle_s: float = 600.0

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("weeks of history", self.history_weeks, 0, MOST_WEEKS),
            ("judged weeks", self.judged_weeks, 1, MOST_WEEKS),
            ("a boot's seconds", self.bounds.boot_s, 0, 3600),
            ("idle seconds", self.idle_s, 0, 7 * 24 * 3600),
            ("the price", self.bounds.cost_per_hour, 0, 1e6),
        ):
            if not least <= value <= most:
                raise PlanError(f"{name} must be from {least:g} to {most:g}, not {value:g}")

    def span(self, first: date) -> Span:
        """All weeks, from the Monday of a day on (unix seconds)."""
        weeks = self.weeks(first)
        return weeks[0][0], weeks[-1][1]

    def weeks(self, first: date) -> list[Span]:
        """Each week, from the Monday of a day on (unix seconds); by the local clock, so one may be an hour longer."""
        mondays = (monday(first) + timedelta(weeks=week) for week in range(self.history_weeks + self.judged_weeks + 1))
        return list(pairwise(midnight(day, self.zone) for day in mondays))

    def text(self) -> str:
        """In one line."""
        bounds = self.bounds
        return (
            f"judged {self.judged_weeks} weeks after {self.history_weeks} of history, {self.zone.key};"
            f" boot {bounds.boot_s:g} s, idle {self.idle_s:g} s, {bounds.cost_per_hour:g} an hour; learned hours:"
            f" floor {bounds.floor_hours:g}, ceiling {bounds.ceiling_hours:g} a day, budget {bounds.budget_per_day:g}"
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """A town's people under each policy, and under learned hours of each ceiling."""

    town: str
    stage: Stage
    outcomes: dict[str, Outcome]
    curve: dict[float, Outcome]
    why: str
    """The hours learned last."""

    def hours(self, outcome: Outcome) -> float:
        """Warm hours a week."""
        return outcome.paid_s / 3600 / self.stage.judged_weeks

    def rows(self) -> Iterator[list[str]]:
        """For each policy: who met a cold engine, what they waited, what it cost a week."""
        for name, outcome in self.outcomes.items():
            hours = self.hours(outcome)
            yield [
                self.town,
                name,
                str(len(outcome.waits)),
                str(outcome.cold),
                f"{outcome.share:.1%}",
                f"{outcome.wait(0.5):.0f}/{outcome.wait(0.95):.0f}",
                str(outcome.boots),
                f"{hours:.1f}",
                f"{hours * self.stage.bounds.cost_per_hour:.0f}",
            ]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        named = {**self.outcomes, **{f"learned, {ceiling:g} h a day": one for ceiling, one in self.curve.items()}}
        return {
            "town": self.town,
            "stage": self.stage.text(),
            "why": self.why,
            "policies": {name: asdict(one) for name, one in named.items()},
        }


HEAD: Final = ["town", "policy", "people", "met cold", "share", "wait p50/p95 s", "boots", "warm h/week", "cost/week"]


def judge(town: str, arrivals: Sequence[float], windows: Sequence[str], first: date, stage: Stage) -> Judged:
    """Play the judged weeks through under each policy; `arrivals` (unix seconds, in order) hold the history too."""
    weeks = stage.weeks(first)
    since, judged = weeks[0][0], weeks[stage.history_weeks :]
    begin, end = judged[0][0], judged[-1][1]
    people = [at for at in arrivals if begin <= at < end]
    if not people:
        raise PlanError(
            f"{town}: nobody comes in the {stage.judged_weeks} weeks after {stage.history_weeks} of history."
        )

    def played(policy: Policy) -> Outcome:
        return simulate(people, spans(policy, judged), end, stage.bounds.boot_s, stage.idle_s)

    def learner(bounds: Bounds) -> Policy:
        return learned(arrivals, since, stage.zone, bounds)

    policies = [fixed(windows, stage.zone), learner(stage.bounds), always(stage.zone), never(stage.zone)]
    ceilings = [ceiling for ceiling in CEILINGS if ceiling >= stage.bounds.floor_hours]
    return Judged(
        town,
        stage,
        {policy.name: played(policy) for policy in policies},
        {ceiling: played(learner(replace(stage.bounds, ceiling_hours=ceiling))) for ceiling in ceilings},
        policies[1].hours(judged[-1][0]).why,
    )


def text(results: Sequence[Judged], source: str) -> str:
    """The figures for people; `source` says who came."""
    rows = [row for result in results for row in result.rows()]
    whys = [f"{result.town}: {result.why}" for result in results]
    return "\n".join(
        [source, results[0].stage.text(), "", table(HEAD, rows), "", "hours learned for the last week:", *whys]
    )


def first_day(arrivals: Sequence[float], zone: ZoneInfo) -> date:
    """The local day of the first arrival."""
    return datetime.fromtimestamp(arrivals[0], zone).date()


def check_length(arrivals: Sequence[float], stage: Stage) -> None:
    """Raise PlanError where a record ends before the last judged week begins, which nobody would come in."""
    first, last = first_day(arrivals, stage.zone), datetime.fromtimestamp(arrivals[-1], stage.zone).date()
    begin = stage.weeks(first)[-1][0]
    if arrivals[-1] < begin:
        weeks = (monday(last) - monday(first)).days // 7 + 1
        raise PlanError(
            f"The record goes from {first} to {last}, which is {weeks} weeks, and {stage.history_weeks} of history and"
            f" {stage.judged_weeks} that are judged are {stage.history_weeks + stage.judged_weeks}:"
            " lower --history or --weeks."
        )
