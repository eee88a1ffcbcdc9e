"""Streams that remote producers write over HTTP. Each is a log in the same store as every generation's."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from engines.base import Prompt
from gateway.clock import Clock
from gateway.errors import HearthError
from gateway.events import Canceled, Event, Finished, Output, Timings, Usage
from gateway.generation import Generation, State
from gateway.log.base import Fenced, Logs, Position, Writer
from gateway.log.local import Log
from gateway.wire.ledger import Append, Created, Ledger, Touched, Wrote, mark

_SWEEP_S: Final = 1.0
_TRIES: Final = 8
_DELETED: Final = Canceled("caller", Usage(), Timings())

_log = logging.getLogger(__name__)


class Bounds(NamedTuple):
    """How much this process holds: open streams, and bytes of them, roughly."""

    streams: int = 4096
    total_bytes: int = 512 << 20


class Written(NamedTuple):
    """What became of a write; `fresh` is false when it was done before."""

    ledger: Ledger
    fresh: bool


class RemoteStreams:
    """Creates, writes and ends them. All state is in the logs, so any process that shares the store takes any write.

    Writes to one stream are in line here; between processes the store's fencing decides, and the loser looks again.
    """

    def __init__(self, logs: Logs, clock: Clock, bounds: Bounds | None = None) -> None:
        self._logs = logs
        self._now = clock.wall
        self._bounds = bounds or Bounds()
        self._known: dict[str, Ledger] = {}
        self._writers: dict[str, Writer] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._full = False
        self._sweeper: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start to end what is past its time."""
        self._sweeper = asyncio.create_task(self._keep_sweeping(), name="remote streams")

    async def close(self) -> None:
        """Stop that."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])

    async def open(self, name: str, owner: str, seen: Position | None = None) -> Ledger:
        """The stream of that name, up to what was seen of it anywhere.

        Raises HearthError `unknown_generation`, `expired`, `log_unavailable`.
        """
        ledger = await self._find(_id(name, owner), owner, seen)
        if ledger.gone or ledger.expired(self._now()):
            raise _unknown()
        return ledger

    async def touch(self, ledger: Ledger) -> None:
        """Somebody reads: its time to live begins anew."""
        if not ledger.wants_touch(self._now()):
            return
        id = ledger.log.generation.id
        async with self._line(id):
            if ledger.wants_touch(self._now()):
                try:
                    writer = await self._writer(ledger.log)
                    await writer.append(mark(Touched(self._now())))
                except (Fenced, HearthError):
                    # It ended, or another process writes, or the store is away: the read goes on without.
                    _log.debug("%s was not touched", id)
                else:
                    self._writers[id] = writer

    async def create(self, name: str, owner: str, wanted: Created, records: tuple[bytes, ...], close: bool) -> Written:
        """The stream, made now if it was not there. Raises HearthError `stream_exists`, `overloaded`."""
        id = _id(name, owner)
        async with self._line(id):
            for _ in range(_TRIES):
                try:
                    ledger = await self.open(name, owner)
                except HearthError as error:
                    if error.code not in ("unknown_generation", "expired"):
                        raise
                    await self._end(id, owner)
                else:
                    if not ledger.is_like(wanted, close):
                        raise HearthError("stream_exists")
                    return Written(ledger, False)
                self._check_room(new=True)
                try:
                    writer = await self._logs.create(_generation(id, owner, wanted.at))
                    await _write(writer, _first(wanted, records, close))
                except Fenced:
                    continue
                self._writers[id] = writer
                return Written(self._ledger(id, writer), True)
        raise HearthError("lost_lease")

    async def append(self, name: str, owner: str, ask: Append) -> Written:
        """Write what is asked, whole or not at all.

        Raises HearthError as `open` and `Ledger.decide`, and `stream_full`, `overloaded`, `lost_lease`.
        """
        id = _id(name, owner)
        async with self._line(id):
            for _ in range(_TRIES):
                ledger = await self.open(name, owner)
                if ledger.log.ended:
                    return Written(ledger, bool(ledger.decide(ask, self._now())))
                try:
                    written = await self._append(ledger.log, ask)
                except Fenced:
                    written = None
                if written is not None:
                    return written
        raise HearthError("lost_lease")

    async def _append(self, log: Log, ask: Append) -> Written | None:
        """Decide and write; None when another process may have written what is not seen here yet. Raises Fenced."""
        id = log.generation.id
        if ask.records:
            self._check_room()
        held = self._writers.get(id)
        writer = await self._writer(log)
        ledger = self._ledger(id, writer)
        try:
            events = ledger.decide(ask, self._now())
        except HearthError:
            if writer is held:
                return None
            raise
        if events:
            await _write(writer, events)
        self._writers[id] = writer
        return Written(ledger, bool(events))

    async def delete(self, name: str, owner: str) -> None:
        """Forget a stream and all its data. Raises as `open`."""
        id = _id(name, owner)
        async with self._line(id):
            ledger = await self.open(name, owner)
            await self._end(id, owner)
            try:
                # An ended log keeps its data for a while. An empty one in its place has none.
                await _write(await self._logs.create(_generation(id, owner, ledger.created.at)), (_DELETED,))
            except Fenced:
                _log.debug("%s was created anew at once", id)

    def _line(self, id: str) -> asyncio.Lock:
        return self._locks.setdefault(id, asyncio.Lock())

    async def _find(self, id: str, owner: str, seen: Position | None = None) -> Ledger:
        try:
            log = await self._logs.open(id, owner, seen)
        except HearthError as error:
            raise _unknown() if error.code == "unknown_generation" else error from None
        ledger = self._known.get(id)
        if ledger is None or ledger.log is not log:
            ledger = self._known[id] = Ledger(log)
        return ledger

    async def _writer(self, log: Log) -> Writer:
        """Who appends to it: the one of before, unless it met with anything. Raises as `take`.

        To be put back when it has done its work: after a failure nobody knows what the store has, but one who takes it.
        """
        writer = self._writers.pop(log.generation.id, None)
        if writer is None or writer.log is not log:
            writer = await self._logs.take(log.generation.id)
        return writer

    def _ledger(self, id: str, writer: Writer) -> Ledger:
        ledger = self._known.get(id)
        if ledger is None or ledger.log is not writer.log:
            ledger = self._known[id] = Ledger(writer.log)
        return ledger

    async def _end(self, id: str, owner: str) -> None:
        """End its log if there is one that runs: the stream was deleted, or its time is over."""
        try:
            log = await self._logs.open(id, owner)
            if not log.ended:
                await _write(await self._logs.take(id), (_DELETED,))
        except (Fenced, HearthError):
            _log.debug("%s had ended", id)

    def _check_room(self, new: bool = False) -> None:
        if self._full or (new and len(self._known) >= self._bounds.streams):
            raise HearthError("overloaded")

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            try:
                await self.sweep()
            except Exception:  # noqa: BLE001
                # It must outlive whatever one round of it meets.
                _log.exception("a sweep of the remote streams broke")

    async def sweep(self) -> None:
        """End the streams whose time is over, let go of those that ended, and count what the others hold."""
        for id, ledger in list(self._known.items()):
            if ledger.expired(self._now()) and not ledger.log.ended:
                await self._end_expired(id, ledger.log.generation.owner)
            if ledger.log.ended and self._known.get(id) is ledger:
                del self._known[id]
                self._writers.pop(id, None)
        self._full = sum(ledger.log.size for ledger in self._known.values()) > self._bounds.total_bytes

    async def _end_expired(self, id: str, owner: str) -> None:
        async with self._line(id):
            try:
                ledger = await self._find(id, owner)
            except HearthError:
                self._known.pop(id, None)
                self._writers.pop(id, None)
                return
            # Seen again, from the store: another process may have read or written it since.
            if ledger.expired(self._now()):
                await self._end(id, owner)


async def _write(writer: Writer, events: tuple[Event, ...]) -> None:
    """Append, and move the generation as its end says. Raises Fenced, HearthError `stream_full`."""
    try:
        await writer.append(*events)
    except HearthError as error:
        raise HearthError("stream_full") if error.code == "log_full" else error from None
    final = {Finished: State.FINISHED, Canceled: State.CANCELED}.get(type(events[-1]))
    generation = writer.log.generation
    if final is not None and generation.state is not final:
        generation.move(final)


def _first(wanted: Created, records: tuple[bytes, ...], close: bool) -> tuple[Event, ...]:
    events: list[Event] = [mark(wanted), *(Output(record) for record in records)]
    if close:
        events += [mark(Wrote(wanted.at, closes=True)), Finished("closed", Usage(), Timings())]
    return tuple(events)


def _id(name: str, owner: str) -> str:
    """The log of a name: the same in every process, and no name of one owner leads to a log of another."""
    named = f"{len(owner)}:{owner}:{name}".encode("utf-8", "surrogatepass")
    return f"remote_{hashlib.sha256(named).hexdigest()[:32]}"


def _generation(id: str, owner: str, now: float) -> Generation:
    return Generation(
        id=id, owner=owner, model="", prompt=Prompt(), created=now, grace=None, state=State.RUNNING, remote=True
    )


def _unknown() -> HearthError:
    return HearthError("unknown_generation", "No stream of this name is known here.")
