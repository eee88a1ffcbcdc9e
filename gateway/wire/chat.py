"""OpenAI's chat body."""

from __future__ import annotations

from engines.base import JSON, Prompt
from gateway.wire import ask, conversation, parameters
from gateway.wire.ask import Ask
from gateway.wire.cache_control import of_body
from gateway.wire.check import refuse, shallow


def parse(body: dict[str, JSON]) -> Ask:
    """The ask in a chat body. Raises HearthError `invalid_request`, naming the field."""
    shallow(body)
    model = ask.model(body)
    if body.get("prompt") is not None:
        raise refuse("prompt", "A chat has `messages`; send `prompt` to /v1/completions, without `messages`.")
    messages = conversation.read(body.get("messages"))
    stream, include_usage = ask.travel(body)
    prompt = Prompt(messages=messages, parameters=parameters.read(body, chat=True), passing=ask.passing(body))
    return Ask(model, prompt, stream, include_usage, of_body(body.get("cache")))
