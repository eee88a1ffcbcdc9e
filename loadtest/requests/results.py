"""How plain requests are compared, and what came of it. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from loadtest.plan import PlanError
from loadtest.report import plain, table
from loadtest.rounds import Rounds, spread
from loadtest.turn import Turn

HEARTH: Final = "hearth"
"""With its scripted engine, which says one token at once."""
RELAY: Final = "hearth-relay"
"""In front of the instant upstream, as any other gateway is."""
CONSTANT: Final = "constant"
"""A bare Starlette app that answers the same bytes to all."""
UPSTREAM: Final = "upstream"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many ask at a time, how often, and how long each turn is."""

    streams: int = 32
    rounds: int = 5
    seconds: float = 3.0
    against: Sequence[str] = ()
    """Names of peers that relay, as `peers list` has them."""
    peers: Path = Path()
    """Where they were set up."""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("streams", self.streams, 1_024),
            ("rounds", self.rounds, 50),
            ("seconds", self.seconds, 120),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most}, not {value:g}")

    @property
    def names(self) -> list[str]:
        """All that are asked, in the order of a round."""
        return [HEARTH, *self.relays, CONSTANT, UPSTREAM]

    @property
    def relays(self) -> list[str]:
        """Those in front of the instant upstream."""
        return [RELAY, *self.against]


@dataclass(frozen=True, slots=True)
class Results:
    """Every turn."""

    plan: Plan
    rounds: Rounds[Turn]

    @property
    def failed(self) -> bool:
        """Something was asked that was not answered with a token, or nothing was."""
        return any(turn.wrong or not turn.answers for turn in self.rounds.all())

    def as_json(self) -> list[dict[str, Any]]:
        """Every turn."""
        return [
            {"asked": name, "round": number, "per_core": turn.per_core, **plain(asdict(turn))}
            for name, turns in self.rounds.turns.items()
            for number, turn in enumerate(turns, 1)
        ]

    def text(self) -> str:
        """Both tables."""
        head = ["asked", "requests/s", "per core", "CPU us", "p50 ms", "p99 ms", "client"]
        others = [name for name in self.rounds.names if name != HEARTH]
        ratios = [
            [ours, *(spread(self.rounds.ratios(ours, other, lambda turn: turn.per_core)) for other in others)]
            for ours in (HEARTH, RELAY)
        ]
        return "\n\n".join(
            [
                f"{self.plan.streams} at a time, medians of {self.plan.rounds} rounds;"
                " per core: requests/s divided by the cores that the server used:",
                table(head, [[name, *self._cells(name)] for name in self.rounds.names]),
                "ratio of the requests per core of the same round, median (least..most):",
                table(["", *(f"to {name}" for name in others)], ratios),
            ]
        )

    def _cells(self, name: str) -> list[str]:
        def median(of: Callable[[Turn], float]) -> float:
            return self.rounds.median(name, of)

        return [
            f"{median(lambda turn: turn.per_second):.0f}",
            f"{median(lambda turn: turn.per_core):.0f}",
            f"{median(lambda turn: turn.cpu_us):.0f}",
            f"{median(lambda turn: turn.first.p50):.2f}",
            f"{median(lambda turn: turn.first.p99):.2f}",
            f"{median(lambda turn: turn.client_share):.0%}",
        ]
