"""The catalog's rounds: sees again and again what others have written of models, and has it done here."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.errors import HearthError

_ROUND_S: Final = 2.0
_FRESH_S: Final = 0.5

Look = Callable[[], Awaitable[None]]
"""Sees what others have written, and does what follows from it. May raise HearthError `state_unavailable`."""

_log = logging.getLogger(__name__)


class Rounds:
    """Has every part look in its turn: what is pushed, said, served, deployed. Owns the task that does."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks = looks
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None
        self._turned_at = -math.inf

    async def begin(self) -> None:
        """Look once, which may take as long as it takes to read samples of all weights, and then again and again."""
        await self.turn()
        self._task = asyncio.create_task(self._keep(), name="catalog")

    async def refresh(self) -> None:
        """Look now, unless somebody did in the last half second."""
        if asyncio.get_running_loop().time() - self._turned_at > _FRESH_S:
            await self.turn()

    async def turn(self) -> None:
        """Look now. What cannot be known just now stays as it was."""
        async with self._turn:
            self._turned_at = asyncio.get_running_loop().time()
            trouble = None
            for look in self._looks:
                try:
                    await look()
                except HearthError as error:
                    trouble = error.message
            if trouble not in (None, self._trouble):
                _log.warning("what others say of models is not known: %s", trouble)
            self._trouble = trouble

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_ROUND_S)
            try:
                await self.turn()
            except Exception:  # noqa: BLE001
                # The rounds must outlive whatever one of them meets.
                _log.exception("a round of the catalog broke")
