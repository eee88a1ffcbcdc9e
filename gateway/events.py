"""The facts a log is made of. Nothing here knows any dialect."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from engines.base import Accepted, Delta, LogLine, Measured, Output

__all__ = [
    "Accepted",
    "Canceled",
    "Delta",
    "Event",
    "Failed",
    "Finished",
    "LogLine",
    "Measured",
    "Note",
    "Opened",
    "Output",
    "Progress",
    "Terminal",
    "Timings",
    "Usage",
    "decode",
    "encode",
    "is_terminal",
    "weight",
]


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens in and out."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class Timings(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Seconds from the call to each milestone; None for one that was never reached."""

    started: float | None = None
    first_token: float | None = None
    total: float | None = None


class Opened(msgspec.Struct, frozen=True, array_like=True, tag="opened", gc=False):
    """The first event: who speaks, since when (unix seconds)."""

    generation: str
    model: str
    created: float


class Progress(msgspec.Struct, frozen=True, array_like=True, tag="progress", gc=False):
    """What the caller is waiting for, while there are no tokens."""

    stage: Literal["queued", "booting", "prefill"]
    message: str
    ready_s: float | None = None
    """In how many seconds the model is likely warm, as of when this was said; None where nothing is known."""


class Note(msgspec.Struct, frozen=True, array_like=True, tag="note", gc=False):
    """Something about the run that a careful reader wants to know: a takeover, a cut prompt."""

    kind: str
    message: str


class Finished(msgspec.Struct, frozen=True, array_like=True, tag="finished", gc=False):
    """Every choice ended by itself; `reason` is that of choice 0."""

    reason: str
    usage: Usage
    timings: Timings


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed", gc=False):
    """The run broke; `code` stands in the error table. `retry_after_s` is when to ask again, where that is known."""

    code: str
    message: str
    parameter: str | None
    usage: Usage
    timings: Timings
    retry_after_s: float | None = None
    """When to come back, where that is known."""


class Canceled(msgspec.Struct, frozen=True, array_like=True, tag="canceled", gc=False):
    """Somebody stopped it (`caller`, `abandoned` by its readers), or its `deadline` or the server's `shutdown` did."""

    by: Literal["caller", "abandoned", "deadline", "shutdown"]
    usage: Usage
    timings: Timings


Event = Opened | Accepted | Delta | Output | LogLine | Measured | Progress | Note | Finished | Failed | Canceled
Terminal = Finished | Failed | Canceled

_TERMINAL: Final = (Finished, Failed, Canceled)


def is_terminal(event: Event) -> bool:
    """Whether this event closes its log."""
    return isinstance(event, _TERMINAL)


def weight(event: Event) -> int:
    """Roughly how many bytes the event keeps busy; cheap, for budgets."""
    if type(event) is Delta:
        said = 160 + len(event.text) + len(event.reasoning) + 120 * len(event.logprobs) + 200 * len(event.tool_calls)
        return said if event.extra is None else said + len(msgspec.msgpack.encode(event.extra))
    return 128 + len(encode(event))


def encode(event: Event) -> bytes:
    """One event as MessagePack."""
    return msgspec.msgpack.encode(event)


def decode(data: bytes) -> Event:
    """The event that `encode` wrote. Raises msgspec.ValidationError on anything else."""
    try:
        event: Event = msgspec.msgpack.decode(data, type=Event)
    except UnicodeDecodeError as error:
        # Of a tag that is no text, which the library does not tell as a fault of its own.
        raise msgspec.ValidationError(str(error)) from None
    return event
