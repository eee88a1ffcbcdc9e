"""Which connections, how many, and how often. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtest.fanout.plan import MOST_READERS
from loadtest.plan import PlanError

SSE: Final = "sse"
WEBSOCKET: Final = "websocket"
SILENT: Final = "silent"
KINDS: Final = (SSE, WEBSOCKET, SILENT)
"""Readers of a generation that says nothing, by either protocol, and connections on which nothing was asked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A fresh server for each kind, each round and both sides; in it the connections grow, level by level."""

    levels: Sequence[int] = (1_000, 3_000)
    kinds: Sequence[str] = KINDS
    rounds: int = 3
    settle_s: float = 3.0
    """How long nothing happens before memory is looked at."""

    def __post_init__(self) -> None:
        if strange := set(self.kinds) - set(KINDS):
            raise PlanError(f"there is no kind {min(strange)!r}; there are {', '.join(KINDS)}")
        if not self.levels or list(self.levels) != sorted(set(self.levels)):
            raise PlanError("the numbers of connections must grow")
        for name, value, most in (
            *(("connections", value, MOST_READERS) for value in self.levels),
            ("rounds", self.rounds, 50),
            ("seconds to settle", self.settle_s, 60.0),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most:g}, not {value:g}")
