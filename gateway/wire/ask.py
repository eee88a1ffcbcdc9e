"""What an OpenAI body asks for, once it is understood: the prompt, and how the answer is to travel."""

from __future__ import annotations

from typing import Final, NamedTuple

from engines.base import JSON, Prompt
from gateway.wire.cache_control import Control
from gateway.wire.check import boolean, mapping, refuse, text

PASSING: Final = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
"""Fields that are for a service elsewhere, if one answers."""

TRANSPORT: Final = PASSING | {"cache", "model", "request_id", "session_id", "stream", "stream_options"}
"""Fields that say who asks and how the answer travels. All others can change the answer."""


class Ask(NamedTuple):
    """One call of an OpenAI route."""

    model: str
    prompt: Prompt
    stream: bool = False
    include_usage: bool = False
    cache: Control = Control()


def model(body: dict[str, JSON]) -> str:
    """The model that is asked."""
    if body.get("model") is None:
        raise refuse("model", "`model` must name the model to ask; GET /v1/models lists them.")
    return text("model", body["model"])


def passing(body: dict[str, JSON]) -> dict[str, JSON]:
    """What a service elsewhere is told with the prompt."""
    return {name: value for name, value in body.items() if name in PASSING and value is not None}


def travel(body: dict[str, JSON]) -> tuple[bool, bool]:
    """Whether to stream, and whether a stream ends with its usage."""
    stream = body.get("stream") is not None and boolean("stream", body["stream"])
    if body.get("stream_options") is None:
        return stream, False
    options = mapping("stream_options", body["stream_options"])
    if not stream:
        raise refuse("stream_options", "`stream_options` is for streams; leave it out, or send `stream: true`.")
    for name, value in options.items():
        if value is not None:
            boolean(f"stream_options.{name}", value)
    return stream, bool(options.get("include_usage"))
