"""A remotely written stream: what its log says of it, and what may be written next. A fold and a decision, no I/O.

Records are `Output` events that hold bytes: one JSON message, or the bytes of one request. What else is to be known of
the stream stands between them as `Output` events that hold a marker, so that every replica comes to the same decision.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from gateway.errors import HearthError
from gateway.events import Canceled, Event, Finished, Output, Timings, Usage
from gateway.log.local import Log
from gateway.wire.durable import media_type, token

_LATE: Final = 1 / 8
"""Reads renew a time to live by an event each, so not every read does: the end may come late by this part of it."""


class Producer(msgspec.Struct, frozen=True, array_like=True):
    """Who writes, in which life, and which request of that life."""

    id: str
    epoch: int
    seq: int


class Created(msgspec.Struct, frozen=True, tag="created", omit_defaults=True):
    """The first marker: what the stream is (times in unix seconds)."""

    at: float
    content_type: str
    ttl: int | None = None
    expires: float | None = None
    expires_at: str | None = None
    """The same as it was written."""


class Wrote(msgspec.Struct, frozen=True, tag="wrote", omit_defaults=True):
    """After the records of a request that said more than its records."""

    at: float
    seq: str | None = None
    producer: Producer | None = None
    closes: bool = False


class Touched(msgspec.Struct, frozen=True, tag="touched"):
    """Somebody read, so the time to live begins anew."""

    at: float


Marker = Created | Wrote | Touched


class Append(NamedTuple):
    """One request to write. No records: it only closes."""

    content_type: str | None
    records: tuple[bytes, ...]
    seq: str | None = None
    producer: Producer | None = None
    close: bool = False


def mark(marker: Marker) -> Output:
    """The marker as an event."""
    return Output(msgspec.to_builtins(marker))


class Ledger:
    """What a log says of its stream. Also the protocol's view of it: see `View`."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._seen = log.first
        self._end = log.first
        self._created = Created(0.0, "application/octet-stream")
        self._at = 0.0
        self._seq: str | None = None
        self._producers: dict[str, Producer] = {}
        self._closed_by: Producer | None = None
        self._closed = False
        self._gone = True

    @property
    def created(self) -> Created:
        return self._fold()._created

    @property
    def content_type(self) -> str:
        return self.created.content_type

    @property
    def headers(self) -> dict[str, str]:
        # What a stranger wrote is opened in a browser on this server's own site: no script of it may run there.
        headers = {"content-security-policy": "default-src 'none'; sandbox"}
        if self.created.ttl is not None:
            headers["stream-ttl"] = str(self.created.ttl)
        if self.created.expires_at is not None:
            headers["stream-expires-at"] = self.created.expires_at
        return headers

    @property
    def end(self) -> int:
        return self._fold()._end

    @property
    def closed(self) -> bool:
        return self._fold()._closed

    @property
    def gone(self) -> bool:
        return self._fold()._gone

    def record(self, event: Event, offset: int) -> bytes | None:
        return event.value if isinstance(event, Output) and isinstance(event.value, bytes) else None

    def expired(self, now: float) -> bool:
        """Whether its time is over (unix seconds)."""
        created = self.created
        if created.expires is not None:
            return now >= created.expires
        return created.ttl is not None and now >= self._at + created.ttl * (1 + _LATE)

    def wants_touch(self, now: float) -> bool:
        """Whether a read at that time has to be written down."""
        ttl = self.created.ttl
        return ttl is not None and not self.log.ended and now >= self._at + ttl * _LATE

    def highest(self, producer: Producer) -> int:
        """The newest request that was taken from that producer."""
        return self._fold()._producers.get(producer.id, producer).seq

    def is_like(self, wanted: Created, closed: bool) -> bool:
        """Whether a PUT that wants this finds what it wants."""
        mine = self.created
        return (
            media_type(mine.content_type) == media_type(wanted.content_type)
            and mine.ttl == wanted.ttl
            and mine.expires == wanted.expires
            and self.closed == closed
        )

    def decide(self, ask: Append, now: float) -> tuple[Event, ...]:
        """The events that do what is asked; none when it was done before.

        Raises HearthError `stream_closed`, `content_type_mismatch`, `stale_producer`, `sequence_gap`,
        `sequence_conflict`, `invalid_request`.
        """
        self._fold()
        if self._closed:
            return self._decide_closed(ask)
        if ask.records and media_type(ask.content_type or "") != media_type(self._created.content_type):
            raise HearthError("content_type_mismatch", f"The stream is of {self._created.content_type}.")
        if ask.producer is not None and self._repeated(ask.producer):
            return ()
        if ask.seq is not None and self._seq is not None and ask.seq <= self._seq:
            raise HearthError("sequence_conflict")
        events: list[Event] = [Output(record) for record in ask.records]
        if ask.seq is not None or ask.producer is not None or ask.close or self._created.ttl is not None:
            events.append(mark(Wrote(now, ask.seq, ask.producer, ask.close)))
        if ask.close:
            events.append(Finished("closed", Usage(), Timings()))
        return tuple(events)

    def _decide_closed(self, ask: Append) -> tuple[Event, ...]:
        only_closes = ask.close and not ask.records and ask.producer is None
        if only_closes or (ask.producer is not None and ask.producer == self._closed_by):
            return ()
        raise HearthError("stream_closed", stream_closed="true", next_offset=token(self.log.epoch, self._end))

    def _repeated(self, asks: Producer) -> bool:
        """Whether this request was taken before; raises when it is not the next one."""
        known = self._producers.get(asks.id)
        if known is not None and asks.epoch < known.epoch:
            raise HearthError("stale_producer", producer_epoch=known.epoch)
        if known is not None and asks.epoch > known.epoch and asks.seq != 0:
            raise _invalid("producer-seq", "A new epoch begins at producer-seq 0.")
        if known is not None and asks.epoch == known.epoch and asks.seq <= known.seq:
            return True
        expected = known.seq + 1 if known is not None and asks.epoch == known.epoch else 0
        if asks.seq != expected:
            raise HearthError("sequence_gap", expected_seq=expected, received_seq=asks.seq)
        return False

    def _fold(self) -> Ledger:
        if self._seen <= self.log.tail:
            for offset, event in enumerate(self.log.between(self._seen, self.log.tail + 1), self._seen):
                self._add(event, offset)
            self._seen = self.log.tail + 1
        return self

    def _add(self, event: Event, offset: int) -> None:
        if isinstance(event, Finished):
            self._closed = True
        elif isinstance(event, Canceled):
            self._gone = True
        elif isinstance(event, Output):
            if isinstance(event.value, bytes):
                self._end = offset + 1
            else:
                self._add_marker(msgspec.convert(event.value, Marker))

    def _add_marker(self, marker: Marker) -> None:
        self._at = max(self._at, marker.at)
        if isinstance(marker, Created):
            self._created, self._gone = marker, False
        elif isinstance(marker, Wrote):
            if marker.seq is not None:
                self._seq = marker.seq
            if marker.producer is not None:
                self._producers[marker.producer.id] = marker.producer
            if marker.closes:
                self._closed_by = marker.producer


def _invalid(parameter: str | None, message: str) -> HearthError:
    return HearthError("invalid_request", message, parameter=parameter)
