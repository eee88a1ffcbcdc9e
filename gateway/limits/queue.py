"""Waiting for one of a model's slots, in this process."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from gateway.errors import HearthError
from gateway.limits.line import Line
from gateway.limits.pace import Pace
from gateway.metrics import Metrics

_LOOK_MS: Final = 25
"""How often the next one looks for a slot that another replica gave back, roughly."""
_PATIENCE_S: Final = 1.0
"""How long the others sleep when nothing changes."""


class Queue:
    """The queue of one model. `hold` takes a slot for a generation of a key, if there is one and it is that key's turn
    among all replicas' next ones; `clock` gives steady seconds.
    """

    def __init__(
        self,
        model: str,
        most: int,
        hold: Callable[[str, str], Awaitable[bool]],
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._model = model
        self._most = most
        self._hold = hold
        self._clock = clock
        self._metrics = metrics
        self._line = Line()
        self._places: dict[str, _Place] = {}
        self._serving: set[str] = set()
        """Who had its turn here, and has not given it back."""
        self._pace = Pace()

    def __len__(self) -> int:
        return len(self._line)

    async def enter(self, holder: str, key: str, *, refuse: bool = True) -> None:
        """Take a slot if there is one and nobody waits, and else a place in the line.

        Raises HearthError `model_busy` when as many wait as may, unless it may not refuse, or the key that has most of
        the line makes room for it.
        """
        if not self._line and await self._hold(holder, key):
            self._line.note_turn(key)
            self._serving.add(holder)
            self._pace.note_spare()
            return
        self._pace.note_wanted(self._clock())
        if refuse and len(self._line) >= self._most:
            self._make_room(key)
        self._places[holder] = _Place(key, may_be_refused=refuse)
        self._line.join(holder, key)
        self._arrange()

    async def turn(self, holder: str) -> AsyncGenerator[str]:
        """Wait for a slot, unless it has one; yields how many are ahead, at once and when that changes.

        However it ends, it is in the line no longer. Ended early, it may have a slot all the same.

        Raises HearthError `model_busy` when it had to make room for another key.
        """
        place = self._places.get(holder)
        if place is None:
            return
        place.waits = True
        self._arrange()
        began, told = self._clock(), -1
        try:
            while True:
                place.changed.clear()
                if place.refused is not None:
                    raise place.refused
                if place.is_next and await self._hold(holder, place.key):
                    self._line.note_turn(place.key)
                    self._serving.add(holder)
                    self._metrics.waited(self._model, self._clock() - began)
                    return
                if place.ahead != told:
                    told = place.ahead
                    yield f"{told} ahead of you" if told else "you are next"
                await place.sleep()
        finally:
            self._step_out(holder)

    def leave(self, holder: str) -> None:
        """Give up a turn, or a place in the line; harmless when there is neither."""
        self._step_out(holder)
        if holder in self._serving:
            self._serving.remove(holder)
            self._pace.note_free(self._clock(), wanted=bool(self._line))

    def _step_out(self, holder: str) -> None:
        if self._places.pop(holder, None) is not None:
            self._line.leave(holder)
            self._arrange()

    def _make_room(self, key: str) -> None:
        """Let one of the key that has most of the line leave it. Raises HearthError `model_busy` if none has to."""
        kept = {holder for holder, place in self._places.items() if not place.may_be_refused}
        leaving = self._line.makes_room(key, kept)
        busy = f"{self._most} wait for {self._model}, as many as may"
        if leaving is None:
            raise HearthError("model_busy", f"{busy}.", retry_after_s=self._pace.seconds())
        place = self._places[leaving]
        place.refused = HearthError(
            "model_busy",
            f"{busy}, and this key had most of them when another came.",
            retry_after_s=self._pace.seconds(),
        )
        place.is_next = False
        place.changed.set()
        self._line.leave(leaving)
        self._metrics.limited("model_queue")

    def freed(self) -> None:
        """A slot may have been given back here: let the next one look."""
        for place in self._places.values():
            if place.is_next:
                place.changed.set()

    def _arrange(self) -> None:
        """Tell all where they stand. The next one is the first who has begun to wait: another may never do so."""
        found = False
        for ahead, holder in enumerate(self._line.order()):
            place = self._places[holder]
            is_next = place.waits and not found
            found = found or is_next
            if (ahead, is_next) != (place.ahead, place.is_next):
                place.ahead, place.is_next = ahead, is_next
                place.changed.set()
        self._metrics.queued(self._model, len(self._line))


class _Place:
    """Where one who waits stands."""

    def __init__(self, key: str, *, may_be_refused: bool) -> None:
        self.key = key
        self.may_be_refused = may_be_refused
        self.refused: HearthError | None = None
        """Why it has to leave the line, when it has to."""
        self.waits = False
        self.ahead = -1
        self.is_next = False
        self.changed = asyncio.Event()

    async def sleep(self) -> None:
        # Not all replicas at the same moment.
        seconds = _LOOK_MS * (750 + secrets.randbelow(500)) / 1e6 if self.is_next else _PATIENCE_S
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            return
