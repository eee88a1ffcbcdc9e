"""OpenAI's text completion body."""

from __future__ import annotations

from typing import Final

from engines.base import JSON, Prompt
from gateway.wire import ask, parameters
from gateway.wire.ask import Ask
from gateway.wire.cache_control import of_body
from gateway.wire.check import INT64, refuse, shallow, wrong

MOST_CHOICES: Final = 1024
"""Answers of one call: texts times `n`."""

DEFAULT_TOKENS: Final = 16
"""OpenAI's: a completion that names no `max_tokens` is short."""

_FORMS: Final = "a string, a list of strings, a list of token ids, or a list of such lists"


def parse(body: dict[str, JSON]) -> Ask:
    """The ask in a completion body. Raises HearthError `invalid_request`, naming the field."""
    shallow(body)
    model = ask.model(body)
    if body.get("messages") is not None:
        raise refuse("messages", "A completion has a `prompt`; send `messages` to /v1/chat/completions, without it.")
    texts = _texts(body.get("prompt"))
    stream, include_usage = ask.travel(body)
    asked = parameters.read(body, chat=False)
    asked.setdefault("max_tokens", max(DEFAULT_TOKENS, asked.get("min_tokens", 0)))
    prompt = Prompt(texts=texts, parameters=asked)
    if prompt.choices > MOST_CHOICES:
        raise refuse("prompt", f"At most {MOST_CHOICES} answers may be asked for at once: texts times `n`.")
    return Ask(model, prompt, stream, include_usage, of_body(body.get("cache")))


def _texts(value: JSON) -> tuple[str | tuple[int, ...], ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise wrong("prompt", _FORMS, value)
    if not value:
        raise refuse("prompt", f"`prompt` must not be empty: it is {_FORMS}.")
    if not isinstance(value[0], str | list):
        return (_tokens("prompt", value),)
    kind = type(value[0])
    for index, each in enumerate(value):
        if type(each) is not kind:
            raise wrong(f"prompt.{index}", "of the same kind as the first", each)
    return tuple(
        each if isinstance(each, str) else _tokens(f"prompt.{index}", each) for index, each in enumerate(value)
    )


def _tokens(where: str, value: list[JSON]) -> tuple[int, ...]:
    if not value:
        raise refuse(where, f"`{where}` must hold at least one token id.")
    for index, token in enumerate(value):
        if type(token) is not int or not 0 <= token <= INT64:
            raise wrong(f"{where}.{index}", "a token id", token)
    return tuple(value)
