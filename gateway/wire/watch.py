"""The native dialect: a log's events as the frames of docs/http.md, the same JSON for SSE and for WebSocket."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from gateway.errors import TABLE
from gateway.events import (
    Accepted,
    Canceled,
    Delta,
    Event,
    Failed,
    Finished,
    LogLine,
    Measured,
    Note,
    Opened,
    Output,
    Progress,
    Timings,
    Usage,
    weight,
)
from gateway.log.local import Log, Reader
from gateway.wire.fold import fold

PORTION_BYTES: Final = 64 << 10
"""About how much of a long log is said at once."""

_MOST_EVENTS: Final = 4096


class Portion(NamedTuple):
    """Offsets start <= offset < stop, and whether all of them were there before their reader came."""

    start: int
    stop: int
    replay: bool


def portion(reader: Reader, limit: int = PORTION_BYTES) -> Portion:
    """What to take from a reader next: about `limit` bytes at most, one event at least, and not both old and new."""
    start, stop = reader.next, reader.log.tail + 1
    replay = start <= reader.replayed_to
    if replay:
        stop = min(stop, reader.replayed_to + 1)
    if stop - start > 1:
        # Many readers stand at the same place: one of them measures for all.
        stop = reader.log.frame(("portion", limit), start, stop, lambda: _bounded(reader.log, start, stop, limit))
    return Portion(start, stop, replay)


def _bounded(log: Log, start: int, stop: int, limit: int) -> int:
    """Up to where a portion goes."""
    size, last = 0, start
    for event in log.between(start, min(stop, start + _MOST_EVENTS)):
        size += _size(event)
        if size > limit and last > start:
            break
        last += 1
    return last


def sse(events: Sequence[Event], epoch: str, start: int, replay: bool = False) -> bytes:
    """Those events as server-sent events; the id of each is the position of the last event in it."""
    parts = []
    for name, data in frames(events, start):
        if replay:
            data["replay"] = True
        position = f"{epoch}-{data['o'] + data['n'] - 1}"
        parts.append(b"id: %s\nevent: %s\ndata: %s\n\n" % (position.encode(), name.encode(), orjson.dumps(data)))
    return b"".join(parts)


def messages(events: Sequence[Event], start: int, replay: bool = False) -> tuple[str, ...]:
    """Those events as WebSocket messages without their first part, `on(lane)`, which alone differs between readers."""
    tails = []
    for name, data in frames(events, start):
        if replay:
            data["replay"] = True
        tails.append(orjson.dumps({"t": name, **data}).decode()[1:])
    return tuple(tails)


def on(lane: str) -> str:
    """The first part of every message on a lane."""
    return '{"id":' + orjson.dumps(lane).decode() + ","


def frames(events: Sequence[Event], start: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each frame's name and data; consecutive deltas of one choice become one."""
    at = start
    for last, event in fold(start, events, exact=True):
        name, data = _said(event)
        yield name, {"o": at, "n": last - at + 1, **data}
        at = last + 1


def _said(event: Event) -> tuple[str, dict[str, Any]]:
    match event:
        case Delta():
            return "delta", _delta(event)
        case Opened(generation, model, created):
            return "opened", {"generation": generation, "model": model, "created": created}
        case Accepted(prompt_tokens, cached_tokens):
            return "accepted", {"prompt_tokens": prompt_tokens, "cached_tokens": cached_tokens}
        case Progress(stage, message, ready_s):
            estimate = {} if ready_s is None else {"ready_s": ready_s}
            return "progress", {"stage": stage, "message": message, **estimate}
        case Note(kind, message):
            return "note", {"kind": kind, "message": message}
        case Output(bytes(value)):
            return "output", {"bytes": base64.b64encode(value).decode()}
        case Output(value, files):
            kept = {written: msgspec.structs.asdict(file) for written, file in files.items()}
            return "output", {"value": value, **({"files": kept} if kept else {})}
        case Measured(name, value):
            return "measured", {"name": name, "value": value}
        case LogLine(text):
            return "log", {"text": text}
        case Finished() | Failed() | Canceled():
            return "end", ending(event)


def _delta(delta: Delta) -> dict[str, Any]:
    data: dict[str, Any] = {"c": delta.choice}
    if delta.reasoning:
        data["r"] = delta.reasoning
    if delta.text:
        data["d"] = delta.text
    if delta.tool_calls:
        data["tool_calls"] = delta.tool_calls
    if delta.logprobs:
        data["logprobs"] = [
            {"token": each.token, "logprob": each.logprob, "top": [{"token": t, "logprob": p} for t, p in each.top]}
            for each in delta.logprobs
        ]
    if delta.finish is not None:
        data["finish"] = delta.finish
    if delta.stop is not None:
        data["stop"] = delta.stop
    return data


def ending(event: Finished | Failed | Canceled) -> dict[str, Any]:
    """How a generation ended."""
    match event:
        case Finished(reason, usage, timings):
            said: dict[str, Any] = {"state": "finished", "reason": reason}
        case Canceled(by, usage, timings):
            said = {"state": "canceled", "reason": by}
        case Failed(code, message, parameter, usage, timings):
            error = {"code": code, "message": message, "param": parameter, "retry": TABLE[code].may_retry}
            said = {"state": "failed", "reason": None, "error": error}
    return {**said, "usage": counted(usage), "timings": _timed(timings)}


def counted(usage: Usage) -> dict[str, int]:
    """Tokens in and out."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
    }


def _timed(timings: Timings) -> dict[str, float | None]:
    return {"started": timings.started, "first_token": timings.first_token, "total": timings.total}


def _size(event: Event) -> int:
    """About how many bytes of a frame the event takes when it is folded with its neighbours."""
    if type(event) is not Delta:
        return weight(event)
    letters = len(event.text) + len(event.reasoning)
    plain = event.text.isascii() and event.reasoning.isascii()
    extras = 200 * len(event.tool_calls) + sum(80 + 60 * len(each.top) for each in event.logprobs)
    return 8 + (letters if plain else 3 * letters) + extras
