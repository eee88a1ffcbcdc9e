"""A language model's inputs, under the names that models on Replicate have for them, and the prompt they make. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from engines.base import JSON, Prompt, Traits
from gateway.errors import HearthError
from gateway.wire import conversation, parameters
from gateway.wire.replicate.fields import missing, refused

DEFAULT_TOKENS: Final = 512
"""An answer to a raw text that names no `max_tokens` has so many at most, or half the context."""

_ALIASES: Final[Mapping[str, str]] = {"max_new_tokens": "max_tokens", "stop_sequences": "stop"}

_PLACES: Final = re.compile(r"\{(?:system_)?prompt\}")

_CONTENT: Final[Mapping[str, dict[str, JSON]]] = {
    "prompt": {"type": "string", "description": "What to answer."},
    "system_prompt": {"type": "string", "description": "How the model is to behave."},
    "messages": {
        "type": "array",
        "items": {"type": "object"},
        "description": "A chat so far, each message with `role` and `content`; then `prompt` is not read.",
    },
    "prompt_template": {
        "type": "string",
        "description": "What the model reads instead of its own chat template; `{prompt}` and `{system_prompt}` in it "
        "are put in.",
    },
}
_PARAMETERS: Final[Mapping[str, dict[str, JSON]]] = {
    "max_tokens": {"type": "integer", "minimum": 1, "description": "The most tokens of an answer."},
    "max_new_tokens": {"type": "integer", "minimum": 1, "description": "Another name of `max_tokens`."},
    "min_tokens": {"type": "integer", "minimum": 0, "description": "The fewest tokens of an answer."},
    "temperature": {
        "type": "number",
        "minimum": 0,
        "maximum": 2,
        "description": "How much chance is in the answer; 0 always takes the likeliest token.",
    },
    "top_p": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "Only the likeliest tokens, which together have this probability, are chosen from.",
    },
    "top_k": {
        "type": "integer",
        "minimum": -1,
        "description": "Only so many of the likeliest tokens are chosen from; 0 and -1 mean all.",
    },
    "presence_penalty": {
        "type": "number",
        "minimum": -2,
        "maximum": 2,
        "description": "How much less likely a token is that was said already.",
    },
    "frequency_penalty": {
        "type": "number",
        "minimum": -2,
        "maximum": 2,
        "description": "How much less likely a token is for each time that it was said.",
    },
    "stop": {"type": "array", "items": {"type": "string"}, "description": "Where one of these comes, the answer ends."},
    "stop_sequences": {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "The same in one string, with commas between them.",
    },
    "seed": {"type": "integer", "description": "The same seed makes the same choices."},
}
_OUTPUT: Final[dict[str, JSON]] = {
    "type": "array",
    "items": {"type": "string"},
    "title": "Output",
    "x-cog-array-type": "iterator",
    "x-cog-array-display": "concatenate",
}


def schema(traits: Traits) -> dict[str, Any]:
    """The OpenAPI document of a model's inputs and output; the defaults in it are those that are put."""
    content = _CONTENT if traits.chat else {name: _CONTENT[name] for name in ("prompt", "prompt_template")}
    taken = {name: each for name, each in _PARAMETERS.items() if _takes(traits, _ALIASES.get(name, name))}
    defaults = traits.chat_defaults if traits.chat else {**traits.text_defaults, "max_tokens": _default_tokens(traits)}
    properties = {
        name: {
            "title": name.replace("_", " ").capitalize(),
            **each,
            **({"default": defaults[name]} if name in taken and defaults.get(name) is not None else {}),
            "x-order": order,
        }
        for order, (name, each) in enumerate({**content, **taken}.items())
    }
    input = {"type": "object", "title": "Input", "properties": properties}
    if not traits.chat:
        input["required"] = ["prompt"]
    return {
        "openapi": "3.0.2",
        "info": {"title": "Hearth", "version": "1"},
        "paths": {},
        "components": {"schemas": {"Input": input, "Output": _OUTPUT}},
    }


def prompt(input: Mapping[str, JSON], traits: Traits) -> Prompt:
    """The prompt that checked inputs make. Raises HearthError `invalid_inputs`, naming the field."""
    template = input.get("prompt_template")
    chat = traits.chat and not template
    if input.get("prompt") is None and not (chat and input.get("messages")):
        raise refused([missing("prompt")])
    try:
        asked = parameters.read(_parameters(input), chat=chat)
        messages = conversation.read(_messages(input)) if chat else ()
    except HearthError as error:
        field = f"input.{error.parameter}" if error.parameter else "input"
        raise refused([{"type": "invalid", "field": field, "description": error.message}]) from None
    if chat:
        return Prompt(messages=messages, parameters=asked)
    if _takes(traits, "max_tokens"):
        asked.setdefault("max_tokens", max(_default_tokens(traits), asked.get("min_tokens", 0)))
    return Prompt(texts=(_text(input, template or "{prompt}"),), parameters=asked)


def _parameters(input: Mapping[str, JSON]) -> dict[str, JSON]:
    given = {
        name: _whole(value) if _PARAMETERS[name].get("type") == "integer" else value
        for name, value in input.items()
        if name in _PARAMETERS and value is not None
    }
    for alias, name in _ALIASES.items():
        if alias in given:
            said = given.pop(alias)
            given.setdefault(name, said)
    stop = given.get("stop")
    if isinstance(stop, str | list):
        given["stop"] = [each for each in (stop.split(",") if isinstance(stop, str) else stop) if each]
    if given.get("top_p") == 0:
        # Nothing but the likeliest token is left to choose from: engines have another word for that.
        del given["top_p"]
        given["temperature"] = 0
    return given


def _whole(value: JSON) -> JSON:
    """JSON Schema takes 5.0 for an integer, and clients in languages with one kind of number write it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _messages(input: Mapping[str, JSON]) -> list[JSON]:
    if input.get("messages"):
        return list(input["messages"])
    system = input.get("system_prompt")
    return [
        *([{"role": "system", "content": system}] if system else []),
        {"role": "user", "content": input["prompt"]},
    ]


def _text(input: Mapping[str, JSON], template: str) -> str:
    """The template with what belongs in it; braces in that, and any others, stay as they are."""
    put = {"{prompt}": input["prompt"], "{system_prompt}": input.get("system_prompt") or ""}
    return _PLACES.sub(lambda place: put[place[0]], template)


def _takes(traits: Traits, name: str) -> bool:
    return traits.parameters is None or name in traits.parameters


def _default_tokens(traits: Traits) -> int:
    return DEFAULT_TOKENS if traits.context_length is None else max(1, min(DEFAULT_TOKENS, traits.context_length // 2))
