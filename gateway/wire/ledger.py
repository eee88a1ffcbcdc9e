"""A remotely written stream: what its log says of it, and what may be written next. A fold and a decision, no I/O.

Records are `Output` events that hold bytes: one JSON message, or the bytes of one request. What else is to be known of
the stream stands between them as `Output` events that hold a marker, so that every replica comes to the same decision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
import orjson

from gateway.errors import HearthError
from gateway.events import Canceled, Event, Finished, Output, Timings, Usage
from gateway.log.local import Log
from gateway.wire.durable import is_json, media_type, token

AT_ONCE: Final = 10_000
"""Messages in one request."""

_MEDIA: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+\s*(;[\t -~]*)?", re.ASCII)
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LARGEST: Final = 2**53 - 1
_LONGEST_S: Final = 10**10
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
    expires_at: str | None = None


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


def create(headers: Mapping[str, str], now: float) -> Created:
    """What a PUT wants. Raises HearthError `invalid_request`."""
    ttl, expires_at = headers.get("stream-ttl"), headers.get("stream-expires-at")
    if ttl is not None and expires_at is not None:
        raise _invalid("stream-ttl", "A stream has stream-ttl or stream-expires-at, not both.")
    if expires_at is not None:
        moment(expires_at)
    content_type = headers.get("content-type", "application/octet-stream")
    if not _MEDIA.fullmatch(content_type):
        raise _invalid("content-type", "content-type is no media type.")
    return Created(now, content_type, None if ttl is None else _count("stream-ttl", ttl, _LONGEST_S), expires_at)


def append(headers: Mapping[str, str], body: bytes) -> Append:
    """What a POST wants. Raises HearthError `invalid_request`, `bad_json`, `body_too_large`."""
    close, content_type = closes(headers), headers.get("content-type")
    if not body and not close:
        raise _invalid(None, "There is nothing to append: the body is empty.")
    if body and content_type is None:
        raise _invalid("content-type", "content-type must be that of the stream.")
    records = split(content_type or "", body)
    if body and not records:
        raise _invalid(None, "There is nothing to append: the array is empty.")
    return Append(content_type, records, headers.get("stream-seq"), producer(headers), close)


def closes(headers: Mapping[str, str]) -> bool:
    """Whether the request closes the stream."""
    return headers.get("stream-closed", "").lower() == "true"


def producer(headers: Mapping[str, str]) -> Producer | None:
    """Who writes, if the request says. Raises HearthError `invalid_request`."""
    names = ("producer-id", "producer-epoch", "producer-seq")
    id, epoch, seq = (headers.get(name) for name in names)
    if id is None and epoch is None and seq is None:
        return None
    if not id or epoch is None or seq is None:
        raise _invalid("producer-id", "producer-id, producer-epoch and producer-seq go together, and none is empty.")
    return Producer(id, _count(names[1], epoch, _LARGEST), _count(names[2], seq, _LARGEST))


def split(content_type: str, body: bytes) -> tuple[bytes, ...]:
    """The records of a body: the elements of a JSON array each, anything else whole.

    Raises HearthError `bad_json`, `body_too_large`.
    """
    if not body or not is_json(content_type):
        return (body,) if body else ()
    try:
        orjson.loads(body)
        if not body.lstrip().startswith(b"["):
            return (body.strip(),)
        messages = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (orjson.JSONDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise HearthError("bad_json", f"The body is not valid JSON in UTF-8: {error}.") from None
    if len(messages) > AT_ONCE:
        raise HearthError("body_too_large", f"At most {AT_ONCE} messages are taken at once.")
    return tuple(bytes(message) for message in messages)


def moment(written: str) -> float:
    """Unix seconds of a time as RFC 3339 writes it. Raises HearthError `invalid_request`."""
    try:
        if _MOMENT.fullmatch(written):
            return datetime.fromisoformat(written.upper()).timestamp()
    except (ValueError, OverflowError):
        pass
    raise _invalid("stream-expires-at", "stream-expires-at is written as in 2030-01-31T12:00:00Z.")


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
        self._closed = self._gone = False

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
        if created.expires_at is not None:
            return now >= moment(created.expires_at)
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
            and (mine.expires_at and moment(mine.expires_at)) == (wanted.expires_at and moment(wanted.expires_at))
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
            self._created = marker
        elif isinstance(marker, Wrote):
            if marker.seq is not None:
                self._seq = marker.seq
            if marker.producer is not None:
                self._producers[marker.producer.id] = marker.producer
            if marker.closes:
                self._closed_by = marker.producer


def _count(name: str, written: str, most: int) -> int:
    if not _COUNT.fullmatch(written) or int(written) > most:
        raise _invalid(name, f"{name} is a whole number from 0 to {most}.")
    return int(written)


def _invalid(parameter: str | None, message: str) -> HearthError:
    return HearthError("invalid_request", message, parameter=parameter)
