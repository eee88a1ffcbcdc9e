"""Predictors that nobody has looked at: found out one after the other what they take, while the server runs."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Final

from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Seat

_AGAIN_S: Final = 60.0
"""How long one is left alone that could not be looked at."""

_log = logging.getLogger(__name__)


class Introspecting:
    """Owns the task that looks: one predictor at a time, as each may install what it needs. `now` gives seconds."""

    def __init__(self, pool: Pool, now: Callable[[], float]) -> None:
        self._pool = pool
        self._now = now
        self._task: asyncio.Task[None] | None = None
        self._failed: dict[Seat, tuple[float, str]] = {}
        """When looking at one failed, and why."""

    async def look(self) -> None:
        """Have those looked at that are there now and were not, in the background."""
        if self._task is None or self._task.done():
            seats = set(self._pool.seats.values())
            self._failed = {seat: failed for seat, failed in self._failed.items() if seat in seats}
            untold = [seat for seat in self._pool.seats.values() if self._is_due(seat)]
            if untold:
                self._task = asyncio.create_task(self._see(untold), name="scouting")

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _is_due(self, seat: Seat) -> bool:
        failed_at, _ = self._failed.get(seat, (-math.inf, ""))
        return seat.look is not None and seat.is_untold and self._now() - failed_at >= _AGAIN_S

    async def _see(self, seats: list[Seat]) -> None:
        for seat in seats:
            try:
                if seat.look is not None:
                    await seat.look()
            except Exception as error:  # noqa: BLE001
                # One that breaks in a way of its own must not keep the others from being looked at.
                self._note(seat, error)

    def _note(self, seat: Seat, error: Exception) -> None:
        _, before = self._failed.get(seat, (0.0, ""))
        self._failed[seat] = self._now(), str(error)
        if str(error) != before:
            unforeseen = None if isinstance(error, EngineError) else error
            _log.warning("what %s takes is not known yet: %s", seat.id, error, exc_info=unforeseen)
