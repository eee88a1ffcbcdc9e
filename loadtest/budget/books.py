"""What the books said over time, and what must never be in them. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from loadtest.report import table

_ZERO: Final = Decimal(0)


@dataclass
class Verdict:
    """One scene: every look at the books, and how the streams ended."""

    scene: str
    limit: Decimal = _ZERO
    spent: Decimal = _ZERO
    reserved: Decimal = _ZERO
    most: Decimal = _ZERO
    """The most that was ever spent and reserved together."""
    looks: int = 0
    unseen: Counter[str] = field(default_factory=Counter)
    """Looks that were not answered, and how."""
    ends: Counter[str] = field(default_factory=Counter)
    """How the streams ended."""
    had: Decimal = _ZERO
    """The price of the tokens in the answers that came whole: at least so much is to be spent."""
    used: Decimal = _ZERO
    """What the usage of all days adds up to."""
    unpaid: Decimal = _ZERO
    """What runs came to beyond what the budget had room for, by the same usage."""
    booked: int = 0
    """Tokens given out, by the same usage."""
    generated: int = 0
    """Tokens given out, as all replicas count them by themselves."""
    freed_s: float | None = None
    """How long after the last stream nothing was reserved any more; None where that did not happen."""
    broken: list[str] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)

    def look(self, told: Mapping[str, Any]) -> None:
        """Take what /admin/budgets says of the key."""
        limit, spent, reserved = (Decimal(told[name]) for name in ("limit", "spent", "reserved"))
        self.looks += 1
        if spent + reserved > limit:
            self.broken.append(f"spent {spent} and reserved {reserved} are more than {limit}")
        if spent < self.spent:
            self.broken.append(f"spent {spent} was {self.spent} before")
        self.limit, self.spent, self.reserved = limit, spent, reserved
        self.most = max(self.most, spent + reserved)

    def close(self) -> None:
        """Judge how it ended."""
        if self.freed_s is None:
            self.broken.append(f"{self.reserved} stayed reserved after the last stream had ended")
        if self.spent + self.unpaid < self.had:
            self.broken.append(f"spent {self.spent}, though answers for {self.had} came whole")
        if self.spent != self.used:
            self.broken.append(f"spent {self.spent}, though the usage adds up to {self.used}")
        if self.booked != self.generated:
            self.broken.append(f"{self.booked} tokens are booked of {self.generated} that were given out")
        if not self.ends["402"]:
            self.broken.append("nobody was refused: the budget was too large to prove anything")

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values; amounts are decimals, as text."""
        names = ("limit", "spent", "reserved", "most", "had", "used", "unpaid")
        amounts = {name: str(getattr(self, name)) for name in names}
        tokens = {"booked": self.booked, "generated": self.generated}
        counts = {"looks": self.looks, "unseen": dict(self.unseen), "ends": dict(self.ends)}
        told = {"freed_s": self.freed_s, "broken": self.broken, "diary": self.diary}
        return {"scene": self.scene, **amounts, **tokens, **counts, **told}


_STREAMS: Final = ("streams", "whole", "canceled", "402", "other")
_MONEY: Final = ("looks", "limit", "most at once", "spent", "by usage", "unpaid", "tokens", "booked", "free after")


def text(verdicts: list[Verdict]) -> str:
    """All scenes for people."""
    others = [f"{each.scene}, other ends: {_counted(_others(each))}" for each in verdicts if _others(each)]
    unseen = [f"{each.scene}, looks not answered: {_counted(each.unseen)}" for each in verdicts if each.unseen]
    diary = [f"{each.scene}: {line}" for each in verdicts for line in each.diary]
    broken = [f"BROKEN {each.scene}: {line}" for each in verdicts for line in each.broken]
    figures = table(["scene", *_STREAMS, *_MONEY], [_row(each) for each in verdicts])
    return "\n".join([figures, *others, *unseen, *diary, *broken])


def _others(verdict: Verdict) -> dict[str, int]:
    return {end: count for end, count in verdict.ends.items() if end not in ("whole", "canceled", "402")}


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _row(verdict: Verdict) -> list[str]:
    ends = verdict.ends
    freed = "never" if verdict.freed_s is None else f"{verdict.freed_s:.1f} s"
    amounts = (verdict.limit, verdict.most, verdict.spent, verdict.used, verdict.unpaid)
    counts = (ends.total(), ends["whole"], ends["canceled"], ends["402"], sum(_others(verdict).values()), verdict.looks)
    return [verdict.scene, *map(str, counts), *map(str, amounts), str(verdict.generated), str(verdict.booked), freed]
