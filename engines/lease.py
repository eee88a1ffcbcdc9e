"""To have the say over an engine for as long as something takes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from engines.board import Away, Board, Role

_LEASE_S: Final = 15.0
_RENEW_S: Final = 5.0
_ASK_S: Final = 0.5


class Lease:
    """The say over one engine, renewed while it is held. Where the board is away, everybody has it."""

    def __init__(self, board: Board, engine: str, role: Role) -> None:
        self._board = board
        self._engine = engine
        self._role: Role = role
        self.waited = False
        """Whether another replica had it first."""

    @asynccontextmanager
    async def held(self, on_wait: Callable[[], None]) -> AsyncGenerator[None]:
        """Wait for it, keep it while the block runs, and give it up."""
        while not await self._ours():
            if not self.waited:
                self.waited = True
                on_wait()
            await asyncio.sleep(_ASK_S)
        renewing = asyncio.create_task(self._renew(), name=f"lease {self._engine}")
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])
            with contextlib.suppress(Away):
                await self._board.resign(self._engine, self._role)

    async def _ours(self) -> bool:
        try:
            return await self._board.lead(self._engine, self._role, _LEASE_S)
        except Away:
            return True

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_S)
            await self._ours()
