"""Requests to write a remote stream: their headers and bodies, checked before any log is looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
import orjson

from gateway.errors import HearthError
from gateway.wire.durable import is_json
from gateway.wire.ledger import Append, Created, Producer

AT_ONCE: Final = 10_000
"""Messages in one request."""

_MEDIA: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+\s*(;[\t -~]*)?", re.ASCII)
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LARGEST: Final = 2**53 - 1
_LONGEST_S: Final = 10**10


def create(headers: Mapping[str, str], now: float) -> Created:
    """What a PUT wants. Raises HearthError `invalid_request`."""
    ttl, expires_at = headers.get("stream-ttl"), headers.get("stream-expires-at")
    if ttl is not None and expires_at is not None:
        raise _invalid("stream-ttl", "A stream has stream-ttl or stream-expires-at, not both.")
    content_type = headers.get("content-type", "application/octet-stream")
    if not _MEDIA.fullmatch(content_type):
        raise _invalid("content-type", "content-type is no media type.")
    return Created(
        now,
        content_type,
        ttl=None if ttl is None else _count("stream-ttl", ttl, _LONGEST_S),
        expires=None if expires_at is None else moment(expires_at),
        expires_at=expires_at,
    )


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


def _count(name: str, written: str, most: int) -> int:
    if not _COUNT.fullmatch(written) or int(written) > most:
        raise _invalid(name, f"{name} is a whole number from 0 to {most}.")
    return int(written)


def _invalid(parameter: str | None, message: str) -> HearthError:
    return HearthError("invalid_request", message, parameter=parameter)
