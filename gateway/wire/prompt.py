"""Any OpenAI body that asks for an answer: a chat or a completion."""

from __future__ import annotations

from engines.base import JSON
from gateway.wire import chat, completions
from gateway.wire.ask import Ask
from gateway.wire.check import refuse


def parse(body: dict[str, JSON]) -> Ask:
    """The ask in a body with `messages` or with `prompt`. Raises HearthError `invalid_request`, naming the field."""
    if body.get("messages") is not None:
        return chat.parse(body)
    if body.get("prompt") is not None:
        return completions.parse(body)
    raise refuse("messages", "Send `messages` for a chat, or `prompt` for a completion.")
