"""The writer of one log in Redis. An event is shown to readers when Redis has it, or when Redis is known to be away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from gateway.errors import HearthError
from gateway.events import Event, is_terminal, weight
from gateway.log.base import Fenced, Retention, new_epoch
from gateway.log.local import Log
from gateway.log.records import PUBLISHED_BYTES, Keys, Message, Packing, write_past

_REMOTE_MS: Final = 400 * 86_400_000
"""How long Redis keeps a remote stream that nobody writes: longer than anybody could mean."""


class Scribe(Protocol):
    """Who carries what writers have to say to Redis."""

    @property
    def away(self) -> bool:
        """Whether Redis is known to be away."""

    def carry(self, writer: RedisWriter) -> None:
        """Send what this writer has, with the next batch."""


class RedisWriter:
    """Appends wait for Redis, so that no reader sees an event that could be lost or written by another.

    While Redis is away they do not wait: the log goes on in memory under a new epoch, which tells every reader who
    saw such events apart from those who did not, and is written to Redis when that is back.
    """

    def __init__(self, log: Log, fence: str, scribe: Scribe, retention: Retention, kept: int | None = None) -> None:
        self.log = log
        self.fence = fence
        self.on_cancel: Callable[[], None] = lambda: None
        self.on_fenced: Callable[[], None] = lambda: None
        self.kept = -1 if kept is None else kept
        """The last offset that Redis is known to have."""
        self.begun = kept is not None
        """Whether Redis has heard of this log."""
        self.fresh = False
        """Whether it is a new log, which an ended one of its name makes room for."""
        self.whole = not self.begun
        """Whether Redis is to be sent the log from its beginning."""
        self.alone = False
        """Whether readers have seen events that Redis has not confirmed."""
        self.taken = False
        """Whether another writer has it."""
        self.cancelled = False
        """Whether somebody wanted it stopped before this writer took it."""
        self.listeners = 0
        """How many replicas heard the last append."""
        self.renewed = 0.0
        """When Redis last heard of it (steady clock)."""
        self._staged: list[Event] = []
        self._staged_size = 0
        self._sent, self._sent_as = 0, log.epoch
        """How many of the staged are under way, and under which epoch."""
        self._kept: asyncio.Future[None] | None = None
        self._scribe = scribe
        self._retention = retention

    @property
    def ended(self) -> bool:
        """Whether the log has its end, staged or shown."""
        return self.log.ended or bool(self._staged and is_terminal(self._staged[-1]))

    @property
    def behind(self) -> bool:
        """Whether Redis lacks something that readers may have seen."""
        return self.kept < self.log.tail

    @property
    def waiting(self) -> bool:
        """Whether there is something to be sent."""
        return not self.taken and (bool(self._staged) or self.behind or self.whole)

    def stage(self, *events: Event) -> None:
        if self.taken or self.ended:
            raise Fenced(self.log.generation.id)
        assert not any(map(is_terminal, events[:-1])), "a terminal event is the last one"
        if not is_terminal(events[-1]) and self.log.size + self._staged_size > self._retention.log_bytes:
            raise HearthError("log_full")
        self._staged += events
        self._staged_size += sum(map(weight, events))
        if self._scribe.away and not self.log.generation.remote:
            self.go_alone()
        # Also while it is away: it is by this that it is tried again.
        self._scribe.carry(self)

    async def append(self, *events: Event) -> None:
        self.stage(*events)
        if self._staged:
            await self.flushed()

    async def flushed(self) -> None:
        """Wait until Redis has all, or is known to be away. Raises Fenced."""
        if self._kept is None:
            self._kept = asyncio.get_running_loop().create_future()
            self._scribe.carry(self)
        await asyncio.shield(self._kept)

    def events(self) -> Sequence[Event]:
        """What Redis is to be sent now; with the answer to that comes `confirm`."""
        self._sent, self._sent_as = len(self._staged), self.log.epoch
        shown = self.log.between(0 if self.whole else self.kept + 1, self.log.tail + 1)
        return [*shown, *self._staged] if self._staged else shown

    def arguments(self, keys: Keys, packing: Packing, events: Sequence[Event]) -> list[Any]:
        """The arguments of append.lua for these events."""
        log = self.log
        id, first = log.generation.id, 0 if self.whole else self.kept + 1
        message = packing.pack(Message(log.epoch, first, first + len(events) - 1, events)) if events else b""
        large = len(message) > PUBLISHED_BYTES
        ends = bool(events) and is_terminal(events[-1])
        return [
            self.fence,
            log.epoch,
            write_past(log.past),
            keys.channel(id),
            first,
            len(events),
            message,
            packing.pack_generation(log.generation) if self.whole else b"",
            round(self._retention.kept_s(log.generation) * 1000) if ends else b"",
            log.generation.owner,
            round(self._retention.remembered_s * 1000),
            packing.pack(Message(log.epoch, first, first + len(events) - 1, None)) if large else b"",
            int(self.fresh and not self.begun),
            _REMOTE_MS if log.generation.remote else b"",
        ]

    def confirm(self, tail: int, listeners: int) -> None:
        """Redis has the log up to there: show the readers what they have not seen."""
        # What Redis has may have been heard on its channel before this answer came, where the log is a mirror too.
        unseen = max(0, tail - self.log.tail)
        if self._sent_as != self.log.epoch:
            # It was under way when Redis was given up, and came through under the epoch of then.
            self.log.past[self._sent_as] = max(self.log.past.get(self._sent_as, -1), tail)
        self.kept, self.begun, self.whole, self.alone = tail, True, False, tail < self.log.tail
        self.listeners = listeners
        sent, self._staged, self._sent = self._staged[: self._sent], self._staged[self._sent :], 0
        shown = sent[len(sent) - unseen :] if unseen else []
        if sent:
            self._staged_size = sum(map(weight, self._staged))
        if shown:
            self.log.extend(shown)
        self._settle()

    def fall_back(self, tail: int) -> None:
        """Redis has the log up to there, which is not where the events began: send from there on."""
        if self.alone and tail > self.kept and self.log.past:
            # An append of before the break came through after all, under the epoch of then.
            last = next(reversed(self.log.past))
            self.log.past[last] = max(self.log.past[last], min(tail, self.log.tail))
        self.kept = tail

    def go_alone(self) -> None:
        """Redis is away: show the readers what they have not seen, under an epoch that says so."""
        if self.log.generation.remote:
            # Whoever writes over HTTP may write to another replica next, and knows to try again.
            self._staged, self._staged_size, self._sent = [], 0, 0
            self._settle(HearthError("log_unavailable"))
            return
        if self._staged:
            if self.begun and not self.alone:
                self.log.renew(new_epoch())
            self.alone = True
            # What is under way is no longer staged: its answer takes nothing of what is staged after this.
            shown, self._staged, self._staged_size, self._sent = self._staged, [], 0, 0
            self.log.extend(shown)
        self._settle()

    def fence_off(self) -> None:
        """Another writer has the log: what was not shown is dropped."""
        self.taken = True
        self._staged = []
        self._settle(Fenced(self.log.generation.id))
        self.on_fenced()

    def _settle(self, error: Exception | None = None) -> None:
        future = self._kept
        if future is None or (self._staged and error is None):
            return
        self._kept = None
        if not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
                # Nobody may be waiting any more, and that is no fault.
                future.exception()
