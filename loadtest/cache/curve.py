"""How much a cache spares over skew and TTL: simulated everywhere, and replayed at some points of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadtest.cache.simulator import simulate, spared
from loadtest.cache.trial import Stage, trial
from loadtest.cache.workload import Workload
from loadtest.report import table

SKEWS: Final = (0.6, 0.8, 1.0, 1.2, 1.4)
TTLS: Final = (10.0, 60.0, 300.0, 1800.0, 3600.0)
CLAIM: Final = (0.3, 0.5)
"""The share that is usually promised of a cache."""


class Point(NamedTuple):
    """A place on the curve."""

    skew: float
    ttl_s: float


GRID: Final = tuple(Point(skew, ttl) for skew in SKEWS for ttl in TTLS)
CONFIRMED: Final = (Point(0.6, 3600.0), Point(1.0, 60.0), Point(1.0, 3600.0), Point(1.4, 300.0))


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of asks without a run of their own, by skew and TTL."""

    workload: Workload
    stage: Stage
    simulated: dict[Point, float]
    replayed: dict[Point, float]
    errors: int = 0

    @property
    def failed(self) -> bool:
        """Some ask was not answered as it should have been."""
        return self.errors > 0

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        told = (("simulated", self.simulated), ("replayed", self.replayed))
        shares = {name: [{**at._asdict(), "share": share} for at, share in of.items()] for name, of in told}
        return {"workload": asdict(self.workload), "stage": asdict(self.stage), **shares, "errors": self.errors}

    def text(self) -> str:
        """The curve and its replays, for people."""
        rows = [[f"{skew:g}", *(_marked(self.simulated[Point(skew, ttl)]) for ttl in TTLS)] for skew in SKEWS]
        inside = sum(_is_claimed(self.simulated[point]) for point in GRID)
        points = [_compared(at, self.simulated[at], share) for at, share in self.replayed.items()]
        lines = [
            f"{self.workload.text()} (the skew is the row's)",
            self.stage.text(),
            "",
            "hits and joins of all asks, simulated:",
            table(["skew", *(f"TTL {ttl:g} s" for ttl in TTLS)], rows),
            "* between {:.0%} and {:.0%}, which is usually claimed: ".format(*CLAIM) + f"{inside} of {len(GRID)}",
        ]
        if points:
            lines += ["", "replayed:", table(["skew", "TTL", "simulated", "replayed", "points apart"], points)]
        return "\n".join(lines)


def curve(workload: Workload, stage: Stage, points: Sequence[Point], folder: Path, say: Callable[[str], None]) -> Curve:
    """Simulate all of it and replay the points. Raises ServerError."""
    simulated, replayed, errors = {}, {}, 0
    for skew, at in groupby(sorted({*GRID, *points}), key=lambda point: point.skew):
        asks = list(replace(workload, skew=skew).asks())
        simulated.update({point: spared(simulate(asks, point.ttl_s, stage.answer_s)) for point in at})
    for point in points:
        say(f"replaying {point} for {workload.seconds / stage.compress / 60:.1f} minutes")
        told = trial(replace(workload, skew=point.skew), stage, point.ttl_s, folder)
        replayed[point] = told.share("HIT", "JOIN")
        errors += sum(told.errors.values())
    return Curve(workload, stage, simulated, replayed, errors)


def _is_claimed(share: float) -> bool:
    return CLAIM[0] <= share <= CLAIM[1]


def _marked(share: float) -> str:
    return f"{share:.1%}{' *' if _is_claimed(share) else ''}"


def _compared(at: Point, simulated: float, replayed: float) -> list[str]:
    apart = (replayed - simulated) * 100
    return [f"{at.skew:g}", f"{at.ttl_s:g} s", f"{simulated:.1%}", f"{replayed:.1%}", f"{apart:+.1f}"]
