"""Turns: who has something to write does so between what else the loop has to do, not while it is being appended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

_AT_ONCE: Final = 128
"""Writes after which the loop looks at everything else: some two milliseconds."""


class Turns:
    """A queue of those who want to write, each in it once at most.

    What is appended before its turn comes goes with the same write: the more readers there are, the fewer writes each
    of them takes. The first turn leaves time for every task that was woken with it: the last word of an answer and
    its end are one write.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._called = False

    def ask(self, turn: Callable[[], None]) -> None:
        """Have that called, after all who asked before. It must not raise, and asks again only after its turn."""
        self._waiting.append(turn)
        if not self._called:
            asyncio.get_running_loop().call_soon(self._begin)
            self._called = True

    async def past(self) -> None:
        """Wait until all who have asked had their turn."""
        past: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ask(lambda: None if past.done() else past.set_result(None))
        await past

    def _begin(self) -> None:
        asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        waiting = self._waiting
        try:
            for _ in range(min(len(waiting), _AT_ONCE)):
                waiting.popleft()()
        finally:
            # Whatever befell one of them, the others have their turns.
            self._called = bool(waiting)
            if waiting:
                asyncio.get_running_loop().call_soon(self._run)
