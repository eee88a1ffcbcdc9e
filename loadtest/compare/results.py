"""What several servers measured under the same loads, and what that is in ratio. No I/O."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from loadtest.figures import Figures
from loadtest.machine import Machine


class Measure(NamedTuple):
    """One of a run's figures."""

    name: str
    of: Callable[[Figures], float]


SPEED: Final = Measure("tok/s", lambda figures: figures.tokens_per_second)
FIRST_P50: Final = Measure("TTFT p50", lambda figures: figures.first.at(50) * 1000)
FIRST_P99: Final = Measure("TTFT p99", lambda figures: figures.first.at(99) * 1000)
GAP_P50: Final = Measure("gap p50", lambda figures: figures.gap.at(50) * 1000)
GAP_P99: Final = Measure("gap p99", lambda figures: figures.gap.at(99) * 1000)
FRONT: Final = Measure("front us/tok", lambda figures: figures.front_us_per_token)
TOTAL: Final = Measure("total us/tok", lambda figures: figures.total_us_per_token)
FRAME: Final = Measure("us/frame", lambda figures: figures.us_per_frame)
MEMORY: Final = Measure("MB", lambda figures: figures.megabytes if figures.processes else math.nan)
_DIGITS: Final = re.compile(r"\d+")
RATIOS: Final = (SPEED, FIRST_P50, FIRST_P99, GAP_P99, FRONT, TOTAL)


def at_a_time(streams: int) -> str:
    """A level in words."""
    return f"{streams:,} stream{'' if streams == 1 else 's'} at a time"


def busiest(figures: Figures) -> int:
    """The most streams at the end of any second of a run; one, where it was over before that."""
    return max([1, *(second.running for second in figures.series)])


class Middle(NamedTuple):
    """The median of what was measured several times, the least and the most of it; NaN where nothing was."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Middle:
        """Those that are NaN do not count."""
        known = [value for value in values if not math.isnan(value)]
        return cls(statistics.median(known), min(known), max(known)) if known else cls(math.nan, math.nan, math.nan)

    def text(self) -> str:
        """As a ratio is written."""
        return "-" if math.isnan(self.median) else f"{self.median:.2f} ({self.least:.2f}..{self.most:.2f})"


class Turn(NamedTuple):
    """One server's run in one round."""

    server: str
    streams: int
    round: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Results:
    """All turns in the order in which they were run, and how they came about.

    `against` is the server that the others are measured against, `load` says what was asked and when, `versions` what
    is installed where each server runs.
    """

    turns: Sequence[Turn]
    against: str
    load: str
    command: str
    machine: Machine
    versions: Mapping[str, Mapping[str, str]]

    @classmethod
    def alone(cls, turn: Turn, load: str, command: str, machine: Machine) -> Results:
        """One run, beside nothing."""
        return cls([turn], turn.server, load, command, machine, {})

    @property
    def names(self) -> list[str]:
        """The servers."""
        return list(dict.fromkeys(turn.server for turn in sorted(self.turns, key=lambda turn: turn.round)))

    @property
    def levels(self) -> list[int]:
        """Streams at a time."""
        return sorted({turn.streams for turn in self.turns})

    @property
    def failed(self) -> bool:
        """Some request of some run was not answered as it should have been."""
        return any(turn.figures.errors for turn in self.turns)

    def runs(self, server: str, level: int) -> list[Figures]:
        """All of one server at one level, by round."""
        turns = [turn for turn in self.turns if (turn.server, turn.streams) == (server, level)]
        return [turn.figures for turn in sorted(turns, key=lambda turn: turn.round)]

    def median_run(self, server: str, level: int) -> Figures | None:
        """The run with the middle speed, whole: a row of medians would be a run that never was."""
        runs = sorted(self.runs(server, level), key=SPEED.of)
        return runs[len(runs) // 2] if runs else None

    def middle(self, server: str, level: int, measure: Measure) -> Middle:
        """A measure over the rounds."""
        return Middle.of(map(measure.of, self.runs(server, level)))

    def ratio(self, server: str, level: int, measure: Measure) -> Middle:
        """Of the runs that stood beside each other in one round."""
        ours, theirs = (self._rounds(name, level) for name in (server, self.against))
        both = [number for number in ours if number in theirs]
        return Middle.of(measure.of(ours[number]) / (measure.of(theirs[number]) or math.nan) for number in both)

    def warnings(self, level: int) -> list[str]:
        """What makes a level's figures say less than they seem to; what rounds say alike is said as the first did."""
        alike: dict[tuple[str, str], tuple[str, list[int]]] = {}
        for turn in self.turns:
            for warning in turn.figures.warnings if turn.streams == level else ():
                _, rounds = alike.setdefault((turn.server, _DIGITS.sub("", warning)), (warning, []))
                rounds.append(turn.round)
        if len(self.turns) == 1:
            return [warning for warning, _ in alike.values()]
        return [
            f"{server}, {at_a_time(level)}, round {', '.join(map(str, rounds))}: {warning}"
            for (server, _), (warning, rounds) in alike.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        runs = [{**turn._asdict(), "figures": turn.figures.as_json()} for turn in self.turns]
        facts = {"against": self.against, "load": self.load, "command": self.command, "machine": asdict(self.machine)}
        return {**facts, "versions": {name: dict(of) for name, of in self.versions.items()}, "runs": runs}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Results:
        """What as_json told. Raises KeyError, TypeError, msgspec.ValidationError."""
        turns = [Turn(**{**run, "figures": Figures.from_json(run["figures"])}) for run in told["runs"]]
        machine = Machine(**told["machine"])
        return cls(turns, told["against"], told["load"], told["command"], machine, told["versions"])

    def _rounds(self, server: str, level: int) -> dict[int, Figures]:
        return {turn.round: turn.figures for turn in self.turns if (turn.server, turn.streams) == (server, level)}
