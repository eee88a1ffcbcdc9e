"""OpenAI's text completion body."""

from __future__ import annotations

from typing import Final

from engines.base import JSON, Prompt
from gateway.wire import ask, parameters, texts
from gateway.wire.ask import Ask
from gateway.wire.cache_control import of_body
from gateway.wire.check import refuse, shallow

MOST_CHOICES: Final = 1024
"""Answers of one call: texts times `n`."""

DEFAULT_TOKENS: Final = 16
"""OpenAI's: a completion that names no `max_tokens` is short."""


def parse(body: dict[str, JSON]) -> Ask:
    """The ask in a completion body. Raises HearthError `invalid_request`, naming the field."""
    shallow(body)
    model = ask.model(body)
    if body.get("messages") is not None:
        raise refuse("messages", "A completion has a `prompt`; send `messages` to /v1/chat/completions, without it.")
    read = texts.read("prompt", body.get("prompt"))
    stream, include_usage = ask.travel(body)
    asked = parameters.read(body, chat=False)
    asked.setdefault("max_tokens", max(DEFAULT_TOKENS, asked.get("min_tokens", 0)))
    prompt = Prompt(texts=read, parameters=asked, passing=ask.passing(body))
    if prompt.choices > MOST_CHOICES:
        raise refuse("prompt", f"At most {MOST_CHOICES} answers may be asked for at once: texts times `n`.")
    return Ask(model, prompt, stream, include_usage, of_body(body.get("cache")))
