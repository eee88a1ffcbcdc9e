"""How large a crowd is, decided before anything runs. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from loadtest.plan import PlanError

MOST_LOGS: Final = 1_000
MOST_READERS: Final = 4_000
MOST_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many logs, each a token longer every `token_ms`, and so many readers, shared out evenly."""

    logs: int = 100
    readers: int = 1_000
    token_ms: float = 50.0
    seconds: float = 20.0
    """How long the measured part lasts."""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("logs", self.logs, MOST_LOGS),
            ("readers", self.readers, MOST_READERS),
            ("token_ms", self.token_ms, 10_000),
            ("seconds", self.seconds, MOST_SECONDS),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most:g}, not {value:g}")

    @property
    def tokens_per_second(self) -> float:
        """Of all logs together."""
        return self.logs * 1000 / self.token_ms

    def tokens(self, seconds: float) -> int:
        """How long an answer must be to last that long."""
        return max(1, round(seconds * 1000 / self.token_ms))
