"""The messages of a chat, in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engines.base import JSON
from gateway.wire.check import mapping, one_of, refuse, several, string, text, wrong

MOST_MESSAGES: Final = 8192

_ROLE: Final = one_of("system", "developer", "user", "assistant", "tool")
_WRITTEN: Final = frozenset({"text"})
_PARTS: Final[Mapping[str, frozenset[str]]] = {
    "system": _WRITTEN,
    "developer": _WRITTEN,
    "user": frozenset({"text", "image_url", "input_audio", "audio_url", "video_url", "file"}),
    "assistant": frozenset({"text", "refusal"}),
    "tool": frozenset({"text", "image_url"}),
}


def read(value: JSON) -> tuple[dict[str, JSON], ...]:
    """The messages, checked; their nulls are dropped. Raises HearthError `invalid_request`, naming the field."""
    if not isinstance(value, list) or not value:
        raise wrong("messages", "a list of at least one message", value)
    if len(value) > MOST_MESSAGES:
        raise refuse("messages", f"`messages` may hold at most {MOST_MESSAGES} messages, not {len(value)}.")
    return tuple(_message(f"messages.{index}", each) for index, each in enumerate(value))


def _message(where: str, value: JSON) -> dict[str, JSON]:
    # Clients send back what they were given, with its empty fields.
    message = {name: each for name, each in mapping(where, value).items() if each is not None}
    role = _ROLE(f"{where}.role", message.get("role"))
    if message.get("tool_calls") == []:
        del message["tool_calls"]
    if "tool_calls" in message:
        if role != "assistant":
            raise refuse(f"{where}.tool_calls", "Only an assistant's message holds `tool_calls`.")
        several(_tool_call, "tool calls")(f"{where}.tool_calls", message["tool_calls"])
    if role == "tool":
        text(f"{where}.tool_call_id", message.get("tool_call_id"))
    if "name" in message:
        string(f"{where}.name", message["name"])
    if "content" in message:
        _content(f"{where}.content", message["content"], role)
    elif role != "assistant" or not ({"tool_calls", "refusal"} & message.keys()):
        raise refuse(f"{where}.content", f"`{where}.content` is missing: a {role} message needs a string or parts.")
    return message


def _content(where: str, value: JSON, role: str) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list) or not value:
        raise wrong(where, "a string, or a list of at least one part", value)
    for index, part in enumerate(value):
        _part(f"{where}.{index}", part, role)


def _part(where: str, value: JSON, role: str) -> None:
    kind = mapping(where, value).get("type")
    if not isinstance(kind, str) or kind not in _PARTS[role]:
        raise wrong(f"{where}.type", f"one of {', '.join(sorted(_PARTS[role]))} in a message of role {role}", kind)
    if kind in ("text", "refusal"):
        string(f"{where}.{kind}", value.get(kind))
    else:
        held = mapping(f"{where}.{kind}", value.get(kind))
        if kind.endswith("_url"):
            text(f"{where}.{kind}.url", held.get("url"))


def _tool_call(where: str, value: JSON) -> JSON:
    text(f"{where}.id", mapping(where, value).get("id"))
    if value.get("type", "function") != "function":
        raise wrong(f"{where}.type", '"function"', value["type"])
    function = mapping(f"{where}.function", value.get("function"))
    text(f"{where}.function.name", function.get("name"))
    string(f"{where}.function.arguments", function.get("arguments"))
    return value
