"""What the server's plain JSON answers hold (docs/http.md)."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Started(TypedDict):
    """The answer to `start`."""

    id: str
    object: str
    model: str
    state: str
    created: float
    url: str


class Choice(TypedDict):
    """One choice's answer so far."""

    index: int
    text: str
    finish_reason: str | None
    reasoning: NotRequired[str]
    tool_calls: NotRequired[list[dict[str, Any]]]


class Snapshot(TypedDict):
    """A generation as it stands; `tail` is the offset of its newest event, -1 when there is none."""

    id: str
    object: str
    model: str
    state: str
    created: float
    epoch: str
    tail: int
    prompt: dict[str, Any]
    choices: list[Choice]
    usage: dict[str, Any] | None
    error: dict[str, Any] | None


class Stopped(TypedDict):
    """The answer to `cancel`."""

    id: str
    state: str
