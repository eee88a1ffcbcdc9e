"""What a soak came to: whether anything grew, whether all was let go of, and whether every answer was whole. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from loadtest.chaos.tally import Part
from loadtest.soak.plan import Scene
from loadtest.soak.probe import Sample
from loadtest.soak.trend import Bound, Trend, trend

BOUNDS: Final = {
    True: (
        Bound("rss_mb", 6.0, per_prediction=0.02),
        Bound("own_mb", 6.0, per_prediction=0.02),
        Bound("objects", 20_000, per_prediction=200),
        Bound("tasks", 20),
        Bound("descriptors", 20),
        Bound("sockets", 20),
        Bound("running", 20),
        Bound("readers", 20),
        Bound("redis_mb", 2.0, per_run=0.0006, per_prediction=0.02),
        Bound("redis_keys", 100, per_run=1, per_prediction=6),
        Bound("redis_clients", 4),
    ),
    False: (
        Bound("rss_mb", 6.0, per_run=0.0005, per_prediction=0.02),
        Bound("own_mb", 6.0, per_run=0.0005, per_prediction=0.02),
        Bound("objects", 20_000, per_run=1, per_prediction=200),
        Bound("tasks", 20),
        Bound("descriptors", 20),
        Bound("sockets", 20),
        Bound("running", 20),
        Bound("readers", 20),
    ),
}
"""How much each series may grow in an hour, with Redis and without.

Every run is remembered for a day, so that its id answers `expired` (docs/operate.md), and that it was paid for two
days; a prediction is kept for an hour and listed for thirty days. That is meant, and stated apart.
"""

LEFT: Final = {"tasks": 10, "descriptors": 30, "sockets": 30, "running": 0, "readers": 0}
"""How much more there may be some time after the last visit than before the first: connections to Redis stay open."""


@dataclass
class Verdict:
    """One scene."""

    scene: Scene
    visits: Part
    before: Sample
    """At rest, before anybody came."""
    samples: list[Sample] = field(default_factory=list)
    after: Sample | None = None
    """At rest, when nobody had been there for a while."""
    kinds: Sequence[Mapping[str, int]] = ()
    violations: Sequence[Mapping[str, Any]] = ()

    @property
    def trends(self) -> list[Trend]:
        """Every series that is judged."""
        times = self.series("seconds")
        return [
            trend(bound, times, self.series(bound.name), self.meant(bound.name)) for bound in BOUNDS[self.scene.redis]
        ]

    @property
    def left(self) -> dict[str, tuple[float, float]]:
        """What was there before and after, where it is more than may be."""
        if self.after is None:
            return {}
        pairs = {name: (getattr(self.before, name), getattr(self.after, name)) for name in LEFT}
        return {name: pair for name, pair in pairs.items() if pair[1] - pair[0] > LEFT[name]}

    @property
    def failed(self) -> bool:
        grows = any(each.verdict == "grows" for each in self.trends)
        return grows or bool(self.left) or bool(self.visits.broken) or not self.visits.whole

    @property
    def cores(self) -> float:
        """How much of a core the server used."""
        first, last = self.samples[0], self.samples[-1]
        return (last.cpu_s - first.cpu_s) / max(1e-9, last.seconds - first.seconds)

    def series(self, name: str) -> list[float]:
        """One figure of all samples."""
        return [getattr(sample, name) for sample in self.samples]

    def meant(self, name: str) -> list[float]:
        """How much of that figure is remembered, at all samples; nothing where it is not judged."""
        runs, predictions = self.series("runs"), self.series("predictions")
        found = next((bound for bound in BOUNDS[self.scene.redis] if bound.name == name), Bound(name, 0.0))
        return found.meant(runs, predictions)

    def growing(self, most: int = 8) -> list[tuple[str, int]]:
        """The types of which there are more at the end than in the middle, the most first."""
        if len(self.samples) < 2:
            return []
        # The first and the last look were at rest.
        middle, end = (Counter(self.kinds[place]) for place in (1 + len(self.samples) // 2, len(self.samples)))
        end.subtract(middle)
        return [(name, count) for name, count in end.most_common(most) if count > 0]
