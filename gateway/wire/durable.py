"""The Durable Streams protocol, its read half: queries, tokens, cursors, portions, frames. Bytes in, bytes out.

The protocol: https://github.com/durable-streams/durable-streams/blob/main/PROTOCOL.md
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

import orjson

from gateway.errors import HearthError
from gateway.events import Event
from gateway.log.base import Position, check
from gateway.log.local import Log
from gateway.wire.watch import frames

PORTION_BYTES: Final = 128 << 10
"""About how much one answer or one frame holds."""

_AT_ONCE: Final = 4096
_TOKEN: Final = re.compile(r"([a-z0-9]{1,16})_([0-9]{16})", re.ASCII)
_CURSOR: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_CURSORS_SINCE: Final = 1_728_432_000  # 2024-10-09, from the protocol
_CURSOR_S: Final = 20
JITTER: Final = 180
"""Cursors move on by up to an hour when a client is already at the newest one."""


class Live(StrEnum):
    """How a reader waits for what is not written yet."""

    LONG_POLL = "long-poll"
    SSE = "sse"


class Query(NamedTuple):
    """What a read asks for; `offset` is not yet compared with any log."""

    offset: str | None
    live: Live | None
    cursor: int | None


def query(pairs: Iterable[tuple[str, str]]) -> Query:
    """The query of a read; parameters of other names are passed over. Raises HearthError `bad_position`,
    `invalid_request`."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given and name in Query._fields:
            raise _faulty(name, f"`{name}` may be given once.")
        given[name] = value
    offset, live, cursor = (given.get(name) for name in Query._fields)
    if offset is not None and offset not in ("-1", "now") and not _TOKEN.fullmatch(offset):
        raise _faulty("offset", "An offset is -1, now, or what stream-next-offset said.")
    if live is not None and live not in list(Live):
        raise _faulty("live", "`live` is long-poll or sse.")
    if live is not None and offset is None:
        raise _faulty("offset", "A live read says where it begins: offset=-1, offset=now, or a token.")
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise _faulty("cursor", "A cursor is what stream-cursor said.")
    return Query(offset, Live(live) if live else None, int(cursor) if cursor else None)


def _faulty(parameter: str, message: str) -> HearthError:
    return HearthError("bad_position" if parameter == "offset" else "invalid_request", message, parameter=parameter)


def token(epoch: str, next: int) -> str:
    """The place before the event `next`. Tokens of one epoch sort as text."""
    return f"{epoch}_{next:016d}"


class View(Protocol):
    """One log as the protocol sees it: records of one content type, open or closed."""

    log: Log

    @property
    def content_type(self) -> str: ...

    @property
    def headers(self) -> dict[str, str]:
        """What answers say of it besides."""

    @property
    def end(self) -> int:
        """The offset after the newest record."""

    @property
    def closed(self) -> bool:
        """Whether no record will follow."""

    @property
    def gone(self) -> bool:
        """Whether it was deleted."""

    def record(self, event: Event, offset: int) -> bytes | None:
        """What the event is to readers; None when it is nothing to them."""


class GenerationView:
    """A generation: one JSON record for each event, as in a frame of the native dialect."""

    content_type = "application/json"
    gone = False

    def __init__(self, log: Log) -> None:
        self.log = log
        self.headers = {
            "x-generation-id": log.generation.id,
            "x-stream-epoch": log.epoch,
            "x-stream-state": str(log.generation.state),
        }

    @property
    def end(self) -> int:
        return self.log.tail + 1

    @property
    def closed(self) -> bool:
        return self.log.ended

    def record(self, event: Event, offset: int) -> bytes | None:
        [(name, data)] = frames([event], offset)
        return orjson.dumps({"t": name, **data})


def seen(offset: str | None) -> Position | None:
    """What a reader with this offset has seen; None when that is not to be known without the log."""
    match = _TOKEN.fullmatch(offset or "")
    return Position(match[1], int(match[2]) - 1) if match is not None else None


def begin(view: View, offset: str | None) -> int:
    """The offset that a read begins at. Raises HearthError `epoch_mismatch`, `trimmed`, `past_the_end`."""
    return view.end if offset == "now" else check(view.log, seen(offset))


class Portion(NamedTuple):
    """Records in order. `next` is the offset after the last of them, `stop` after the last event looked at."""

    records: Sequence[bytes]
    next: int
    stop: int


def portion(view: View, start: int, limit: int = PORTION_BYTES) -> Portion:
    """The records from `start`: one at least if there is any, then about `limit` bytes at most."""
    log, size, next, at = view.log, 0, start, start
    records: list[bytes] = []
    while at <= log.tail:
        for event in log.between(at, min(at + _AT_ONCE, log.tail + 1)):
            record = view.record(event, at)
            if record is not None:
                size += len(record)
                if size > limit and records:
                    return Portion(records, next, at)
                records.append(record)
                next = at + 1
            at += 1
    return Portion(records, next, at)


def shared(view: View, start: int) -> Portion:
    """`portion`, made once for all who read it between two appends."""
    log = view.log
    return log.frame("durable", start, log.tail + 1, lambda: portion(view, start))


def is_json(content_type: str) -> bool:
    """Whether the stream is made of messages, not of bytes."""
    return media_type(content_type) == "application/json"


def is_text(content_type: str) -> bool:
    """Whether its bytes can stand in an event stream as they are."""
    return is_json(content_type) or media_type(content_type).startswith("text/")


def media_type(content_type: str) -> str:
    """The type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def body(content_type: str, records: Sequence[bytes]) -> bytes:
    """Those records as an answer's body: messages as a JSON array, bytes as they came."""
    return b"[%s]" % b",".join(records) if is_json(content_type) else b"".join(records)


def etag(view: View, start: int, portion: Portion) -> str:
    """Another one whenever the same read would answer something else."""
    ends = ":c" if view.closed and portion.stop > view.log.tail else ""
    return f'"{view.log.epoch}:{start}:{portion.next}{ends}"'


def matches(etag: str, if_none_match: str) -> bool:
    """Whether the client has it already."""
    known = (each.strip().removeprefix("W/") for each in if_none_match.split(","))
    return any(each in (etag, "*") for each in known)


def cursor(now: float, given: int | None, jitter: int) -> int:
    """The interval of time that `now` (unix seconds) lies in; past `given` in any case, so that caches move on."""
    current = int(now - _CURSORS_SINCE) // _CURSOR_S
    return current if given is None or given < current else given + jitter


def data_event(content_type: str, records: Sequence[bytes]) -> bytes:
    """The records as one server-sent event; line by line, so that none of them can end it early."""
    said = body(content_type, records)
    lines = _LINE_END.split(said) if is_text(content_type) else [base64.b64encode(said)]
    # Readers drop one blank after the colon: a line's own is kept by one more.
    return b"event: data\n%s\n" % b"".join(b"data:%s%s\n" % (b" " * line.startswith(b" "), line) for line in lines)


def control_event(next: str, *, cursor: int | None, up_to_date: bool, closed: bool) -> bytes:
    """Where a reader stands after the event before: with it, it can come back."""
    told: dict[str, str | bool] = {"streamNextOffset": next}
    if closed:
        told["streamClosed"] = True
    elif cursor is not None:
        told["streamCursor"] = str(cursor)
    if up_to_date:
        told["upToDate"] = True
    return b"event: control\ndata:%s\n\n" % orjson.dumps(told)
