"""For how long a run waits for its engine's next word, and for its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from engines.errors import EngineError
from gateway.errors import TABLE


class Limits(NamedTuple):
    """Seconds that a run may wait for a first token, for the next one, and for its end; and that a predictor may run.

    A predictor says nothing for as long as it computes.
    """

    first_token_s: float
    silence_s: float
    total_s: float | None
    predictor_s: float


class Silence:
    """Since when one run's engine has said nothing, while one is asked. Times are steady seconds."""

    def __init__(self) -> None:
        self._since: float | None = None
        """When it was asked, or last heard; None while none is asked."""
        self._speaking = False
        """Whether it has said anything."""
        self._timeout: asyncio.Timeout | None = None

    @asynccontextmanager
    async def bounded(self, now: float) -> AsyncIterator[None]:
        """An engine is asked now, and heard within the block. Raises EngineError `engine_stalled`: see `check`."""
        self._since, self._speaking = now, False
        try:
            async with asyncio.timeout(None) as self._timeout:
                yield
        except TimeoutError:
            raise EngineError("engine_stalled", TABLE["engine_stalled"].sentence) from None
        finally:
            self._since = self._timeout = None

    def broken(self, now: float) -> None:
        """The engine has said something."""
        self._since, self._speaking = now, True

    def check(self, now: float, limits: Limits) -> None:
        """End the wait for an engine that was silent for too long."""
        limit = limits.silence_s if self._speaking else limits.first_token_s
        if self._since is not None and self._timeout is not None and now - self._since > limit:
            self._since = None
            self._timeout.reschedule(asyncio.get_running_loop().time())
