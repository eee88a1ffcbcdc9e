"""What one client process sees of a run, no larger than its figures need it; several add up. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from loadtest.histogram import Histogram
from loadtest.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Objective:
    """What an answer must keep to be a good one, in seconds: its first text, and its longest gap."""

    first: float
    gap: float

    def __str__(self) -> str:
        return f"first text in {self.first:g} s, no gap over {self.gap:g} s"

    def met(self, outcome: Outcome) -> bool:
        """Whether a whole answer kept it."""
        return outcome.first is not None and outcome.first <= self.first and max(outcome.gaps, default=0.0) <= self.gap


@dataclass(slots=True)
class Second:
    """What came to pass in one second of a run. Tokens are the events that said something, as they arrived."""

    started: int = 0
    ended: int = 0
    tokens: int = 0
    errors: int = 0
    running: int = 0
    """At its end."""


@dataclass(slots=True)
class Record:
    """Counts and histograms of all requests so far. `first`, `gap` and `total` are of those that went well."""

    objective: Objective | None = None
    requests: int = 0
    answered: int = 0
    """Whole, and without an error."""
    within: int = 0
    """Of those, within the objective."""
    errors: Counter[str] = field(default_factory=Counter)
    purpose: Counter[str] = field(default_factory=Counter)
    """What was done on purpose: `canceled`, `cut` for good, `resumed` after a cut."""
    tokens: int = 0
    events: int = 0
    answered_events: int = 0
    bytes: int = 0
    first: Histogram = field(default_factory=Histogram)
    gap: Histogram = field(default_factory=Histogram)
    total: Histogram = field(default_factory=Histogram)
    sent: Histogram = field(default_factory=Histogram)
    """How late requests were sent."""
    seconds: defaultdict[int, Second] = field(default_factory=lambda: defaultdict(Second))

    def started(self, at: float) -> None:
        """A request began so many seconds after the run did."""
        self.seconds[int(at)].started += 1

    def said(self, at: float, events: int) -> None:
        """So many events arrived that said something."""
        self.seconds[int(at)].tokens += events

    def ended(self, outcome: Outcome, at: float) -> None:
        """A request ended."""
        second = self.seconds[int(at)]
        second.ended += 1
        self.requests += 1
        self.tokens += outcome.tokens or outcome.events
        self.events += outcome.events
        self.bytes += outcome.bytes
        self.sent.record(outcome.sent)
        if outcome.error is not None:
            second.errors += 1
            self.errors[outcome.error] += 1
            return
        self._measure(outcome)
        if outcome.left is not None:
            self.purpose[outcome.left] += 1
            return
        self.purpose["resumed"] += bool(outcome.cuts)
        self.answered += 1
        self.answered_events += outcome.events
        self.total.record(outcome.total)
        if self.objective is not None:
            self.within += self.objective.met(outcome)

    def _measure(self, outcome: Outcome) -> None:
        if outcome.first is not None:
            self.first.record(outcome.first)
        for gap in outcome.gaps:
            self.gap.record(gap)

    def add(self, other: Record) -> None:
        """Take all that another process recorded."""
        self.requests += other.requests
        self.answered += other.answered
        self.within += other.within
        self.errors += other.errors
        self.purpose += other.purpose
        self.tokens += other.tokens
        self.events += other.events
        self.answered_events += other.answered_events
        self.bytes += other.bytes
        self.first.add(other.first)
        self.gap.add(other.gap)
        self.total.add(other.total)
        self.sent.add(other.sent)
        for number, theirs in other.seconds.items():
            ours = self.seconds[number]
            ours.started += theirs.started
            ours.ended += theirs.ended
            ours.tokens += theirs.tokens
            ours.errors += theirs.errors

    def series(self) -> list[Second]:
        """Return every second of the run, with what ran at its end."""
        seconds, running = [], 0
        for number in range(max(self.seconds, default=-1) + 1):
            now = self.seconds.get(number, Second())
            running += now.started - now.ended
            seconds.append(Second(now.started, now.ended, now.tokens, now.errors, running))
        return seconds
