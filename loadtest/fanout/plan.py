"""How many read one generation, how often and how long: decided before anything runs. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtest.plan import PlanError

MOST_READERS: Final = 15_000
"""To one port, from one address: their ports come from the system's range."""
_SPARE_MS: Final = 500.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Two parts: as fast as it goes, beside a bare writer, and at a pace, where the lag is what counts."""

    levels: Sequence[int] = (1, 100, 1_000, 10_000)
    """Readers, as fast as it goes."""
    rounds: int = 5
    seconds: float = 3.0
    """How long a turn is measured."""
    paced: Sequence[int] = (10_000,)
    """Readers, at a pace."""
    token_ms: float = 50.0
    paced_seconds: float = 10.0
    join_ms: float = 3.0
    """For each reader: a generation is silent for so long, so that they can come in."""

    def __post_init__(self) -> None:
        for name, value, most in (
            *(("readers", value, MOST_READERS) for value in (*self.levels, *self.paced)),
            ("rounds", self.rounds, 50),
            ("seconds", self.seconds, 60.0),
            ("seconds at a pace", self.paced_seconds, 300.0),
            ("milliseconds of a token", self.token_ms, 10_000.0),
            ("milliseconds for a reader to join", self.join_ms, 100.0),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most:g}, not {value:g}")

    def wait_ms(self, readers: int) -> int:
        """How long a generation is silent before its first token."""
        return round(_SPARE_MS + readers * self.join_ms)
