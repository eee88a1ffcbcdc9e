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


class Lost(Exception):
    """Another replica has the say now."""


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
        """Wait for it, keep it while the block runs, and give it up.

        The block is ended, and Lost is raised, when the board says that it is another's: who was cut off from the board
        for longer than a lease may come back to that.
        """
        told = False
        while not await self._ours():
            if not told:
                self.waited = told = True
                on_wait()
            await asyncio.sleep(_ASK_S)
        term = asyncio.timeout(None)
        try:
            async with term:
                renewing = asyncio.create_task(self._renew(term), name=f"lease {self._engine}")
                try:
                    yield
                finally:
                    renewing.cancel()
                    await asyncio.wait([renewing])
        except TimeoutError:
            if term.expired():
                raise Lost from None
            raise
        finally:
            with contextlib.suppress(Away):
                await self._board.resign(self._engine, self._role)

    async def _ours(self) -> bool:
        try:
            return await self._board.lead(self._engine, self._role, _LEASE_S)
        except Away:
            return True

    async def _renew(self, term: asyncio.Timeout) -> None:
        while True:
            await asyncio.sleep(_RENEW_S)
            if not await self._ours():
                term.reschedule(asyncio.get_running_loop().time())
                return
