"""What one run has taken of the limits, until it has ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Final

from gateway.admission import Outcome
from gateway.errors import HearthError
from gateway.generation import Generation
from gateway.limits.base import Limiter, Subject
from gateway.limits.queue import Queue
from gateway.limits.whole import whole
from gateway.measure import measure

_LIKELY: Final = 256
"""Tokens that an answer is held to take where the caller says nothing of it."""
_MOST: Final = 1 << 20
"""Tokens that an answer is held to take at most, whatever was asked for."""


class LimitedRun:
    """See Admission. Whatever may have been taken is noted here first, so that it is given back if all goes wrong."""

    def __init__(self, limiter: Limiter, generation: Generation, estimate: int, queue: Queue | None) -> None:
        self.headers: Mapping[str, str] = {}
        self.on_stop: Callable[[HearthError], None] = lambda error: None
        self.estimate = estimate
        self.buckets: list[Subject] = []
        """Whose tokens were taken."""
        self.slots: list[Subject] = []
        """Whose slots it has, or may have."""
        self._limiter = limiter
        self._id = generation.id
        self._queue = queue

    async def turn(self) -> AsyncGenerator[str]:
        if self._queue is not None:
            async with aclosing(self._queue.turn(self._id)) as places:
                async for place in places:
                    yield place

    async def close(self, outcome: Outcome | None) -> None:
        if outcome is None:
            self._leave()
        else:
            usage = outcome.terminal.usage
            await self.settle(usage.prompt_tokens + usage.completion_tokens)

    async def settle(self, used: int) -> None:
        """Give everything back, but for the tokens that were used."""
        # First without waiting for anything: should the rest be interrupted all the same, it lapses.
        self._leave()
        await whole(self._give_back(used))

    async def _give_back(self, used: int) -> None:
        for subject in self.slots:
            await self._limiter.release(subject, self._id)
        if self._queue is not None:
            self._queue.freed()
        for subject in self.buckets:
            await self._limiter.settle(subject, "tokens", self.estimate, used)

    def _leave(self) -> None:
        if self._queue is not None:
            self._queue.leave(self._id)
        for subject in self.slots:
            self._limiter.leave(subject, self._id)


def estimate(generation: Generation, context_length: int | None) -> int:
    """Tokens taken before it runs: a fair guess at the prompt, and what was asked for. The end settles it."""
    prompt = generation.prompt
    measured = measure(prompt, None)
    most = min(_MOST, context_length or _MOST) * prompt.choices
    return measured.prompt_likely + min(most, measured.output_most or _LIKELY * prompt.choices)
