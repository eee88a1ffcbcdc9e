"""A log as this process holds it, and the cursor that reads it. Every store hands out these."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, TypeVar

from gateway.events import Event, is_terminal, weight
from gateway.generation import Generation

_T = TypeVar("_T")

_SHARED: Final = 16
"""Encoded portions that a log keeps: readers at its tail want the same one, and those who catch up come in bursts."""


class Log:
    """The events of one generation, in order, with whoever waits for more.

    Appended to by its store alone. `size` is in bytes, roughly, what was asked too; `ended_at` is the store's clock.
    """

    def __init__(self, generation: Generation, epoch: str, first: int = 0) -> None:
        self.generation = generation
        self.epoch = epoch
        self.first = first
        self.tail = first - 1
        """The offset of the newest event; one less than `first` when there is none."""
        self.size = generation.weight
        self.ended_at: float | None = None
        self.past: dict[str, int] = {}
        """Earlier epochs of this log, each with the last offset up to which its positions are good."""
        self.lost: str | None = None
        """Why (a code of the error table) nothing more will ever come here; None while something may."""
        self.readers: set[Reader] = set()
        self.on_readers: Callable[[int], None] = lambda count: None
        """Told how many readers there are whenever one comes or goes."""
        self._events: list[Event] = []
        self._waiting: dict[Hashable, Callable[[], None]] = {}
        self._frames: dict[tuple[Hashable, int, int], Any] = {}

    @property
    def ended(self) -> bool:
        return bool(self._events) and is_terminal(self._events[-1])

    def between(self, start: int, stop: int) -> Sequence[Event]:
        """The events with start <= offset < stop."""
        return self._events[start - self.first : stop - self.first]

    def extend(self, events: Sequence[Event]) -> None:
        """Add events and wake everybody who waits."""
        self._events.extend(events)
        self.tail += len(events)
        for event in events:
            self.size += weight(event)
        self._frames.clear()
        self._wake()

    def _wake(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for call in waiting.values():
                call()

    def fill(self, events: Sequence[Event]) -> None:
        """Hold these events from the beginning on, where nobody reads yet and nobody asks for the size."""
        self._events = list(events)
        self.tail = self.first + len(events) - 1

    def renew(self, epoch: str) -> None:
        """Go on under a new epoch: positions of the one before stay good up to here."""
        self.past[self.epoch] = self.tail
        self.epoch = epoch
        self._frames.clear()

    def lose(self, code: str) -> None:
        """Give the log up: its readers are told, and have to come again."""
        self.lost = code
        self._wake()

    def on_next(self, who: Hashable, call: Callable[[], None]) -> None:
        """Call that once, at the next append; a later call by the same `who` replaces this one."""
        self._waiting[who] = call

    def forget(self, who: Hashable) -> None:
        """Take back `on_next`."""
        self._waiting.pop(who, None)

    def frame(self, dialect: Hashable, start: int, stop: int, encode: Callable[[], _T]) -> _T:
        """Those events in that dialect, encoded once for all who read them between two appends."""
        key = (dialect, start, stop)
        frame: _T | None = self._frames.get(key)
        if frame is None:
            frame = encode()
            while len(self._frames) >= _SHARED:
                del self._frames[next(iter(self._frames))]
            self._frames[key] = frame
        return frame

    def read(self, start: int) -> Reader:
        """A new reader that begins at this offset; see `check` for how a position becomes one."""
        reader = Reader(self, start)
        self.readers.add(reader)
        self.on_readers(len(self.readers))
        return reader


class Reader:
    """A cursor in a log. It holds no events, so a slow one costs no memory; it just takes more at once.

    Use: `take` what there is, write it, `wait` for more (or be told `on_more`), until `done`; `close` in a finally.
    """

    __slots__ = ("_call", "_deadline", "_future", "_timer", "cut", "log", "next", "replayed_to", "sending_since")

    def __init__(self, log: Log, start: int) -> None:
        self.log = log
        self.next = start
        """The offset of the first event not yet taken."""
        self.replayed_to = log.tail
        """Events up to this offset were there before the reader came."""
        self.sending_since: float | None = None
        """Set by a surface (loop time) while a write is under way, so that a stalled one is found."""
        self.cut: Callable[[], None] | None = None
        """Set by a surface: how to drop the connection of a stalled reader."""
        self._call: Callable[[], None] | None = None
        """Called by `wake`."""
        self._future: asyncio.Future[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0

    @property
    def done(self) -> bool:
        """Whether the terminal event was taken."""
        return self.log.ended and self.next > self.log.tail

    @property
    def pending(self) -> bool:
        """Whether `take` would give anything."""
        return self.next <= self.log.tail

    @property
    def lag(self) -> int:
        """Bytes between the cursor and the tail, roughly; walks the events, so not for the hot path."""
        return sum(weight(event) for event in self.log.between(self.next, self.log.tail + 1))

    def wake(self) -> None:
        """Something other than an event wants the reader's attention: end a `wait` early, call who listens."""
        if self._call is not None:
            self._call()

    def on_more(self, call: Callable[[], None]) -> None:
        """Have that called at the next append, and at every `wake` until `close`."""
        self._call = call
        self.log.on_next(self, call)

    def _answer(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(True)

    def take(self, limit: int | None = None) -> Sequence[Event]:
        """Everything since the cursor, `limit` events at most; the cursor moves past it."""
        stop = self.log.tail + 1
        if limit is not None:
            stop = min(stop, self.next + limit)
        events = self.log.between(self.next, stop)
        self.next = stop
        return events

    async def wait(self, seconds: float) -> bool:
        """Wait until there is something to take, or the log is lost; False when nothing came in that time."""
        if self.pending or self.log.lost:
            return True
        loop = asyncio.get_running_loop()
        self._future = loop.create_future()
        self._deadline = loop.time() + seconds
        # One timer is kept and moved forward only when it fires: arming one per token would cost more than the token.
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(self._deadline, self._expire)
        self.on_more(self._answer)
        try:
            return await self._future
        finally:
            self._future = self._call = None
            self.log.forget(self)

    async def end(self, unless: Callable[[], bool] = lambda: False) -> None:
        """Wait until the log has ended or is lost, without waking for what it says before.

        `unless` is asked at each `wake`: whether to wait no longer.
        """
        while not (self.log.ended or self.log.lost or unless()):
            self._future = asyncio.get_running_loop().create_future()
            self._call = self._answer
            self._answer_at_the_end()
            try:
                await self._future
            finally:
                self._future = self._call = None
                self.log.forget(self)

    def _answer_at_the_end(self) -> None:
        if self.log.ended or self.log.lost:
            self._answer()
        else:
            self.log.on_next(self, self._answer_at_the_end)

    def close(self) -> None:
        """Leave the log; harmless the second time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.log.forget(self)
        # Who is called holds on to this reader, and it to the whole log: the collector looks seldom.
        self._call = self.cut = None
        if self in self.log.readers:
            self.log.readers.remove(self)
            self.log.on_readers(len(self.log.readers))

    def _expire(self) -> None:
        self._timer = None
        if self._future is None or self._future.done():
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._deadline:
            self._future.set_result(False)
        else:
            self._timer = loop.call_at(self._deadline, self._expire)
