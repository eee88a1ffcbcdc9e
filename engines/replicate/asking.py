"""A prompt as the input of a model on Replicate. Pure.

A chat goes into `messages` where the model has such an input. Otherwise what the system says goes into `system_prompt`
(or above everything where there is none), and the rest into `prompt`: a single message of the user as it stands, a
longer talk as a transcript, `User: ...` and `Assistant: ...` with an empty line between, and `Assistant:` at the end.
The model's own template is put around that by the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from engines.base import JSON, Prompt
from engines.errors import EngineError
from engines.replicate.schema import Schema

_SYSTEM: Final = ("system", "developer")
_SPEAKERS: Final = {"user": "User", "assistant": "Assistant"}


class _Turn(NamedTuple):
    role: str
    text: str


def ask(prompt: Prompt, choice: int, schema: Schema) -> dict[str, JSON]:
    """The input that has one choice of a prompt answered.

    Raises EngineError `invalid_request`, naming what the model does not take.
    """
    asked = _chat(prompt.messages, schema) if prompt.is_chat else _text(prompt, choice, schema)
    for name, value in prompt.parameters.items():
        if name == "n":
            continue
        input = schema.input(name)
        if input is None:
            raise _refused(name, f"This model takes no parameter {name!r}.")
        asked[input] = _stops(input, value, schema) if name == "stop" else value
    if isinstance(asked.get("seed"), int):
        # The same chance for all would make them one answer.
        asked["seed"] += choice
    return asked


def least(schema: Schema) -> dict[str, JSON]:
    """The input of the smallest prediction that still gives a token."""
    prompt = Prompt(messages=({"role": "user", "content": "Hi"},))
    asked = ask(prompt, 0, schema)
    if (longest := schema.input("max_tokens")) is not None:
        asked[longest] = max(1, schema.inputs[longest].get("minimum") or 1)
    return asked


def longest(asked: dict[str, JSON], schema: Schema) -> int | None:
    """How many tokens that input lets an answer have; None where it does not say."""
    name = schema.input("max_tokens")
    most = None if name is None else asked.get(name, schema.inputs[name].get("default"))
    return most if isinstance(most, int) else None


def _text(prompt: Prompt, choice: int, schema: Schema) -> dict[str, JSON]:
    text = prompt.texts[choice // max(1, prompt.choices // len(prompt.texts))]
    if not isinstance(text, str):
        raise _refused("prompt", "This model takes text; token ids mean nothing to it.")
    return _prompted(text, schema)


def _chat(messages: Sequence[dict[str, JSON]], schema: Schema) -> dict[str, JSON]:
    if schema.chats:
        return {"messages": list(messages) if schema.is_list("messages") else msgspec.json.encode(messages).decode()}
    images: list[str] = []
    turns = [_turn(index, message, images) for index, message in enumerate(messages)]
    system = "\n\n".join(turn.text for turn in turns if turn.role in _SYSTEM)
    talk = _talk([turn for turn in turns if turn.role not in _SYSTEM])
    if "system_prompt" in schema.inputs:
        asked = _prompted(talk, schema) | ({"system_prompt": system} if system else {})
    else:
        asked = _prompted("\n\n".join(part for part in (system, talk) if part), schema)
    return asked | _pictures(images, schema)


def _prompted(text: str, schema: Schema) -> dict[str, JSON]:
    if "prompt" in schema.inputs:
        return {"prompt": text}
    return _chat([{"role": "user", "content": text}], schema)


def _talk(turns: Sequence[_Turn]) -> str:
    if [turn.role for turn in turns] == ["user"]:
        return turns[0].text
    said = [f"{_SPEAKERS[turn.role]}: {turn.text}" for turn in turns]
    return "\n\n".join([*said, f"{_SPEAKERS['assistant']}:"])


def _turn(index: int, message: dict[str, JSON], images: list[str]) -> _Turn:
    """What a message says; its pictures are added to `images`."""
    role, content = message["role"], message.get("content")
    if role == "tool" or message.get("tool_calls"):
        raise _refused(f"messages.{index}", "This model knows no tools.")
    if content is None or isinstance(content, str):
        return _Turn(role, content or message.get("refusal") or "")
    texts = []
    for part in content:
        kind = part["type"]
        if kind == "image_url":
            images.append(part["image_url"]["url"])
        elif kind in ("text", "refusal"):
            texts.append(part[kind])
        else:
            raise _refused(f"messages.{index}", f"This model takes no {kind}.")
    return _Turn(role, "\n".join(texts))


def _pictures(images: list[str], schema: Schema) -> dict[str, JSON]:
    if not images:
        return {}
    input = schema.image
    if input is None:
        raise _refused("messages", "This model takes no pictures.")
    if schema.is_list(input):
        return {input: images}
    if len(images) > 1:
        raise _refused("messages", f"This model takes one picture, not {len(images)}.")
    return {input: images[0]}


def _stops(input: str, stops: JSON, schema: Schema) -> JSON:
    """Stop strings in the model's own form: a list, or one string with commas between, after those it has anyway."""
    if schema.is_list(input):
        return stops
    if any("," in stop for stop in stops):
        raise _refused("stop", "This model separates stop strings by commas: none may hold one.")
    own = schema.inputs[input].get("default")
    return ",".join([own, *stops] if own else stops)


def _refused(parameter: str, message: str) -> EngineError:
    return EngineError("invalid_request", message, parameter=parameter)
