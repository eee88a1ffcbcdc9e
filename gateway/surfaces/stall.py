"""Cutting a connection whose peer takes too little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.types import Scope

LAST_WORDS_S: Final = 1.0


class Stall:
    """One connection that may be cut: it gets a moment for a last frame, then it is dropped with all that is unsent."""

    __slots__ = ("_abort", "_timer", "asked")

    def __init__(self, scope: Scope) -> None:
        self.asked = False
        """Whether the connection is to end with its next write."""
        self._abort: Callable[[], None] = scope.get("hearth.abort", lambda: None)
        self._timer: asyncio.TimerHandle | None = None

    def cut(self) -> None:
        """Ask for the end; harmless the second time."""
        if not self.asked:
            self.asked = True
            self._timer = asyncio.get_running_loop().call_later(LAST_WORDS_S, self._abort)

    def close(self) -> None:
        """The connection ended by itself: drop nothing, for it may be serving its next request."""
        if self._timer is not None:
            self._timer.cancel()
