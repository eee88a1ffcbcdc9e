"""What came of every stream, counted. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from loadtest.report import percentile, table

_KEPT: Final = 50
"""Violations that are told in full; all are counted."""

_SILENCES: Final = 5

RESUMABLE: Final = ("native", "socket", "openai")
OTHERS: Final = ("openai-plain", "json")
AGAIN: Final = "again"
"""What is read a second time from its beginning is judged like a stream, and is none of its own."""


@dataclass
class Part:
    """The counts of one phase."""

    name: str
    seconds: float = 0.0
    whole: Counter[str] = field(default_factory=Counter)
    """Streams with exactly the text, by kind."""
    told: Counter[str] = field(default_factory=Counter)
    """Streams that ended otherwise, and were told so: by kind and code."""
    broken: Counter[str] = field(default_factory=Counter)
    """Promises broken, by kind and name."""
    harms: Counter[str] = field(default_factory=Counter)
    diary: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    """What readers met on their way: cuts, refusals, positions that were no longer good."""
    totals: list[float] = field(default_factory=list)
    """Seconds that each whole stream took."""
    silences: list[tuple[float, str]] = field(default_factory=list)
    """The longest seconds that a reader heard nothing from a replica that was well, and which."""

    def silent(self, seconds: float, which: str) -> None:
        """Note a silence, if it is among the longest."""
        self.silences = sorted([*self.silences, (round(seconds, 2), which)], reverse=True)[:_SILENCES]

    @property
    def longest_silence(self) -> float:
        return max((seconds for seconds, _ in self.silences), default=0.0)

    @property
    def streams(self) -> int:
        ended = self.whole.total() + self.told.total() + self.broken.total()
        return ended - sum(sum(_of(counter, (AGAIN,))) for counter in (self.whole, self.told, self.broken))


class Tally:
    """All phases of a run."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.violations: list[dict[str, Any]] = []

    def begin(self, name: str) -> Part:
        """A new phase; what is counted from now on is of it."""
        self.parts.append(Part(name))
        return self.parts[-1]

    @property
    def now(self) -> Part:
        return self.parts[-1]

    def broke(self, kind: str, what: str, **details: Any) -> None:
        """Note a promise that was broken; its first word names it."""
        self.now.broken[f"{kind} {what.partition(':')[0]}"] += 1
        if len(self.violations) < _KEPT:
            self.violations.append({"phase": self.now.name, "kind": kind, "what": what, **details})

    @property
    def failed(self) -> bool:
        return any(part.broken for part in self.parts)

    @property
    def cuts(self) -> int:
        return sum(part.met["cut"] for part in self.parts)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "phases": [
                {
                    "name": part.name,
                    "seconds": round(part.seconds, 1),
                    "streams": part.streams,
                    "cuts": part.met["cut"],
                    **{name: dict(getattr(part, name)) for name in ("harms", "whole", "told", "broken", "met")},
                    "stream_seconds": {f"p{p}": round(percentile(part.totals, p / 100), 2) for p in (50, 99, 100)}
                    if part.totals
                    else {},
                    "silences": part.silences,
                    "diary": part.diary,
                }
                for part in self.parts
            ],
            "violations": self.violations,
        }

    def text(self) -> str:
        """The report for people."""
        head = ["phase", "streams", "cuts", "resumable: whole", "told", "others: whole", "told", "read again", "broken"]
        rows = [_row(part) for part in self.parts]
        told = [line for part in self.parts for line in _lines(part)]
        found = [f"BROKEN {each}" for each in self.violations]
        return "\n".join([table(head, rows), "", *told, *found])


def _of(counter: Counter[str], kinds: Sequence[str]) -> list[int]:
    return [count for key, count in counter.items() if key.split()[0] in kinds]


def _row(part: Part) -> list[str]:
    return [
        part.name,
        str(part.streams),
        str(part.met["cut"]),
        *(str(sum(_of(counter, kinds))) for kinds in (RESUMABLE, OTHERS) for counter in (part.whole, part.told)),
        str(part.whole[AGAIN]),
        str(part.broken.total()),
    ]


def _lines(part: Part) -> list[str]:
    spread = "/".join(f"{percentile(part.totals, p):.1f}" for p in (0.5, 0.99, 1.0)) if part.totals else "-"
    return [
        f"{part.name}: {part.seconds:.0f} s; a stream took {spread} s (p50/p99/most); longest silence"
        f" {part.longest_silence:.1f} s",
        *(
            f"  {name}: " + ", ".join(f"{count} {key}" for key, count in sorted(getattr(part, name).items()))
            for name in ("harms", "met", "told", "broken")
            if getattr(part, name)
        ),
    ]
