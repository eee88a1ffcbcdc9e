"""How one worker is compared with two, and what came of it. No I/O."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from loadtest.plan import PlanError
from loadtest.report import plain, table
from loadtest.rounds import Rounds, spread
from loadtest.steady import Steady


@dataclass(frozen=True, slots=True)
class Plan:
    """How many workers beside one, and the load: so many streams of the scripted engine as fast as it goes."""

    workers: int = 2
    streams: int = 256
    tokens: int = 128
    token_ms: float = 0.0
    rounds: int = 5
    warm_s: float = 1.0
    seconds: float = 5.0

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("workers", self.workers, 2, 16),
            ("streams", self.streams, 1, 4_096),
            ("tokens", self.tokens, 2, 4_096),
            ("token_ms", self.token_ms, 0, 1_000),
            ("rounds", self.rounds, 1, 50),
            ("seconds", self.seconds, 0.1, 120),
        ):
            if not least <= value <= most:
                raise PlanError(f"{name} must be from {least} to {most}, not {value:g}")

    @property
    def names(self) -> tuple[str, str]:
        """What one worker is called, and what several are."""
        return "1 worker", f"{self.workers} workers"


@dataclass(frozen=True, slots=True)
class Results:
    """Every turn."""

    plan: Plan
    rounds: Rounds[Steady]

    @property
    def failed(self) -> bool:
        """Some answer was not whole."""
        return any(turn.wrong or not turn.tokens for turn in self.rounds.all())

    def as_json(self) -> list[dict[str, Any]]:
        """Every turn."""
        return [
            {"server": name, "round": number, **plain(asdict(turn))}
            for name, turns in self.rounds.turns.items()
            for number, turn in enumerate(turns, 1)
        ]

    def text(self) -> str:
        """All of it, for people."""
        one, several = self.plan.names
        head = ["server", "tok/s", "events/s", "server us/tok", "redis us/tok", "server", "redis", "client", "cores"]
        rows = [[name, *self._cells(name)] for name in self.rounds.names]
        ratios = [[what, spread(self.rounds.ratios(several, one, of))] for what, of in _RATIOS.items()]
        return "\n".join(
            [
                f"{self.plan.streams} streams of {self.plan.tokens} tokens, medians of {self.plan.rounds} rounds:",
                "",
                table(head, rows),
                "",
                f"{several}/{one}, median of the rounds' ratios (least..most):",
                "",
                table(["", "ratio"], ratios),
                "",
                f"CPU seconds are the server's and Redis's: their ratio times {self.plan.workers} is what as many cores"
                " of their own would give.",
            ]
        )

    def _cells(self, name: str) -> list[str]:
        def median(of: Callable[[Steady], float]) -> float:
            return self.rounds.median(name, of)

        return [
            f"{median(lambda one: one.per_second):.0f}",
            f"{median(lambda one: one.events_per_second):.0f}",
            f"{median(lambda one: one.us('server')):.1f}",
            f"{median(lambda one: one.us('redis')):.1f}",
            f"{median(lambda one: one.share('server')):.0%}",
            f"{median(lambda one: one.share('redis')):.0%}",
            f"{median(lambda one: one.client_share):.0%}",
            f"{median(lambda one: one.share('server') + one.share('redis') + one.client_share):.2f}",
        ]


def _per_cpu_second(turn: Steady) -> float:
    """Tokens; NaN where no use of a processor was seen."""
    used = turn.us("server") + turn.us("redis")
    return 1e6 / used if used else math.nan


_RATIOS: Final[dict[str, Callable[[Steady], float]]] = {
    "tok/s": lambda turn: turn.per_second,
    "events/s": lambda turn: turn.events_per_second,
    "tokens per CPU second": _per_cpu_second,
    "events per CPU second": lambda turn: _per_cpu_second(turn) * turn.events_per_token,
}
