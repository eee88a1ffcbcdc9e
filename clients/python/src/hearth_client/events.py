"""What a generation's log says, as typed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hearth_client.errors import HearthError, told


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A numbered fact about a generation. Pass `position` as `after` to go on behind it."""

    position: str
    offset: int
    count: int
    replay: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Event):
    """The log began."""

    generation: str
    model: str
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Event):
    """The engine has counted the prompt."""

    prompt_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Event):
    """What the generation waits for; `ready_s` seconds after it was said the model is likely warm, if that is known."""

    stage: str
    message: str
    ready_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta(Event):
    """A piece of one choice's answer, its reasoning before its text.

    `finish` comes with the choice's last one, and `stop`, the string or token that ended it, if one did.
    """

    choice: int
    text: str
    reasoning: str
    tool_calls: Sequence[Mapping[str, Any]]
    finish: str | None
    stop: str | int | None
    logprobs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Event):
    """A value that the model gave beside or instead of text."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine(Event):
    """A line that the model's program printed."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Event):
    """Something worth knowing about the log itself, such as a takeover."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Event):
    """The one last event of every log."""

    state: str
    reason: str | None
    usage: Mapping[str, Any] | None
    timings: Mapping[str, Any] | None
    error: HearthError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Other(Event):
    """An event of a newer server than this client."""

    name: str
    data: Mapping[str, Any]


def decode(name: str, data: Mapping[str, Any], position: str) -> Event:
    """Return the event that a frame's name and data stand for."""
    head: dict[str, Any] = {
        "position": position,
        "offset": data["o"],
        "count": data["n"],
        "replay": bool(data.get("replay")),
    }
    match name:
        case "delta":
            return _delta(head, data)
        case "opened":
            return Opened(**head, generation=data["generation"], model=data["model"], created=data["created"])
        case "accepted":
            return Accepted(**head, prompt_tokens=data["prompt_tokens"], cached_tokens=data.get("cached_tokens") or 0)
        case "progress":
            message = data.get("message") or ""
            return Progress(**head, stage=data["stage"], message=message, ready_s=data.get("ready_s"))
        case "output":
            return Output(**head, value=data["value"])
        case "log":
            return LogLine(**head, text=data["text"])
        case "note":
            return Note(**head, kind=data["kind"], message=data.get("message") or "")
        case "end":
            return _end(head, data)
        case _:
            return Other(**head, name=name, data=data)


def _delta(head: dict[str, Any], data: Mapping[str, Any]) -> Delta:
    return Delta(
        **head,
        choice=data["c"],
        text=data.get("d") or "",
        reasoning=data.get("r") or "",
        tool_calls=data.get("tool_calls") or (),
        finish=data.get("finish"),
        stop=data.get("stop"),
        logprobs=data.get("logprobs") or (),
    )


def _end(head: dict[str, Any], data: Mapping[str, Any]) -> End:
    failure = data.get("error")
    return End(
        **head,
        state=data["state"],
        reason=data.get("reason"),
        usage=data.get("usage"),
        timings=data.get("timings"),
        error=told(failure) if failure else None,
    )
