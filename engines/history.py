"""What is remembered of engines and of their callers for weeks: how long boots took, and when people came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

QUARTER_S: Final = 900
"""Arrivals are counted by the quarter hour, which begins at a multiple of this (unix seconds)."""
BOOTS_KEPT: Final = 10
BOOTS_KEPT_S: Final = 366 * 86_400.0
"""An engine that did not boot for so long is most likely no more."""
ARRIVALS_KEPT_S: Final = 8 * 7 * 86_400.0


class History(Protocol):
    """Outlives the server, and is common to all replicas that share a Redis."""

    async def booted(self, engine: str, seconds: float) -> None:
        """Remember how long a boot took. Raises board.Away."""

    async def boots(self, engine: str) -> Sequence[float]:
        """How long the last boots took, the newest last; at most BOOTS_KEPT. Raises board.Away."""

    async def came(self, arrivals: Mapping[tuple[str, int], int]) -> None:
        """Add to the arrivals: by model and by the start of the quarter hour, how many came. Raises board.Away."""

    async def arrivals(self, model: str, since: float) -> Mapping[int, int]:
        """How many came in each quarter hour from then on (unix seconds), by its start. Raises board.Away."""

    async def close(self) -> None:
        """Let go of the connections. Raises nothing."""
