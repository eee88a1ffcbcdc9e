"""The native dialect: a log's events as the frames of docs/http.md, the same JSON for SSE and for WebSocket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson
from msgspec.structs import astuple

from gateway.errors import TABLE
from gateway.events import (
    Accepted,
    Canceled,
    Delta,
    Event,
    Failed,
    Finished,
    LogLine,
    Note,
    Opened,
    Output,
    Progress,
    Timings,
    Usage,
    weight,
)
from gateway.log.local import Reader

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
        size, last = 0, start
        for event in reader.log.between(start, min(stop, start + _MOST_EVENTS)):
            size += _size(event)
            if size > limit and last > start:
                break
            last += 1
        stop = last
    return Portion(start, stop, replay)


def sse(events: Sequence[Event], epoch: str, start: int, replay: bool = False) -> bytes:
    """Those events as server-sent events; the id of each is the position of the last event in it."""
    parts = []
    for name, data in fold(events, start):
        if replay:
            data["replay"] = True
        parts.append(
            b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (epoch.encode(), _last(data), name.encode(), orjson.dumps(data))
        )
    return b"".join(parts)


def messages(events: Sequence[Event], start: int, replay: bool = False) -> tuple[str, ...]:
    """Those events as WebSocket messages without their first part, `on(lane)`, which alone differs between readers."""
    tails = []
    for name, data in fold(events, start):
        if replay:
            data["replay"] = True
        tails.append(orjson.dumps({"t": name, **data}).decode()[1:])
    return tuple(tails)


def on(lane: str) -> str:
    """The first part of every message on a lane."""
    return '{"id":' + orjson.dumps(lane).decode() + ","


def fold(events: Sequence[Event], start: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each frame's name and data; consecutive deltas of one choice become one."""
    at = 0
    while at < len(events):
        event = events[at]
        if isinstance(event, Delta):
            stop = _run(events, at, event)
            name, data = "delta", _delta(event, events[at:stop])
        else:
            stop = at + 1
            name, data = _said(event)
        yield name, {"o": start + at, "n": stop - at, **data}
        at = stop


def _last(data: dict[str, Any]) -> int:
    last: int = data["o"] + data["n"] - 1
    return last


def _run(events: Sequence[Event], at: int, first: Delta) -> int:
    """Where the deltas end that one frame can hold: of one choice, reasoning before text; tool calls stay alone."""
    spoken = bool(first.text)
    ended = bool(first.finish or first.tool_calls)
    at += 1
    while at < len(events) and not ended:
        event = events[at]
        if type(event) is not Delta or event.choice != first.choice or event.tool_calls or (event.reasoning and spoken):
            break
        spoken = spoken or bool(event.text)
        ended = event.finish is not None
        at += 1
    return at


def _delta(first: Delta, run: Sequence[Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"c": first.choice}
    if reasoning := "".join([delta.reasoning for delta in run]):
        data["r"] = reasoning
    if text := "".join([delta.text for delta in run]):
        data["d"] = text
    last: Delta = run[-1]
    if last.tool_calls:
        data["tool_calls"] = last.tool_calls
    if any(delta.logprobs for delta in run):
        data["logprobs"] = [
            {"token": token, "logprob": logprob, "top": [{"token": t, "logprob": p} for t, p in top]}
            for delta in run
            for token, logprob, top in map(astuple, delta.logprobs)
        ]
    if last.finish is not None:
        data["finish"] = last.finish
    if last.stop is not None:
        data["stop"] = last.stop
    return data


def _said(event: Event) -> tuple[str, dict[str, Any]]:
    match event:
        case Opened(generation, model, created):
            return "opened", {"generation": generation, "model": model, "created": created}
        case Accepted(prompt_tokens, cached_tokens):
            return "accepted", {"prompt_tokens": prompt_tokens, "cached_tokens": cached_tokens}
        case Progress(stage, message):
            return "progress", {"stage": stage, "message": message}
        case Note(kind, message):
            return "note", {"kind": kind, "message": message}
        case Output(value):
            return "output", {"value": value}
        case LogLine(text):
            return "log", {"text": text}
        case Finished() | Failed() | Canceled():
            return "end", ending(event)
        case Delta():
            raise AssertionError("deltas are folded")


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
