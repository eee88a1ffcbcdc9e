"""Parameters that are more than a number or a word: stops, biases, formats, tools."""

from __future__ import annotations

import re
from typing import Final

from engines.base import JSON
from gateway.wire.check import boolean, mapping, number, one_of, refuse, several, string, text, wrong

MOST_STOPS: Final = 32
MOST_TOOLS: Final = 512
MOST_BIASES: Final = 4096
MOST_CHOICES: Final = 1000
"""Engines compile them into a grammar, in more time than the square of their number."""

_TOKEN: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_BIAS: Final = number(-100, 100)
_FORMATS: Final = one_of("text", "json_object", "json_schema", "structural_tag")
_CONSTRAINTS: Final = ("json", "regex", "choice", "grammar", "json_object", "structural_tag")


def stops(where: str, value: JSON) -> list[str]:
    """One stop string or several, always given as a list."""
    if isinstance(value, str):
        return [text(where, value)]
    stops: list[str] = several(text, "strings", most=MOST_STOPS)(where, value)
    return stops


def bias(where: str, value: JSON) -> dict[str, float]:
    """Token ids, as strings, to what is added to their logits."""
    biases: dict[str, float] = {}
    if len(mapping(where, value)) > MOST_BIASES:
        raise refuse(where, f"`{where}` may hold at most {MOST_BIASES} token ids, not {len(value)}.")
    for token, amount in mapping(where, value).items():
        if not _TOKEN.fullmatch(token):
            raise refuse(where, f"`{where}` goes from token ids to numbers; {token[:20]!r} is no token id.")
        biases[token] = _BIAS(f"{where}.{token}", amount)
    return biases


def response_format(where: str, value: JSON) -> dict[str, JSON]:
    """`{"type": "text" | "json_object"}`, or `{"type": "json_schema", "json_schema": {"name", "schema"}}`."""
    kind = _FORMATS(f"{where}.type", mapping(where, value).get("type"))
    if kind == "json_schema":
        schema = mapping(f"{where}.json_schema", value.get("json_schema"))
        text(f"{where}.json_schema.name", schema.get("name"))
        mapping(f"{where}.json_schema.schema", schema.get("schema"))
        if schema.get("strict") is not None:
            boolean(f"{where}.json_schema.strict", schema["strict"])
    return dict(value)


def structured_outputs(where: str, value: JSON) -> dict[str, JSON]:
    """vLLM's constraints: exactly one of json, regex, choice, grammar, json_object, structural_tag."""
    asked = {name: each for name, each in mapping(where, value).items() if each is not None}
    kinds = [name for name in _CONSTRAINTS if name in asked]
    if len(kinds) != 1:
        raise refuse(where, f"`{where}` must hold exactly one of {', '.join(_CONSTRAINTS)}.")
    kind = kinds[0]
    place, constraint = f"{where}.{kind}", asked[kind]
    if kind == "choice":
        several(text, "strings", least=1, most=MOST_CHOICES)(place, constraint)
    elif kind == "json_object":
        boolean(place, constraint)
    elif kind == "json":
        if not isinstance(constraint, dict | str):
            raise wrong(place, "a JSON schema", constraint)
    else:
        text(place, constraint)
    return asked


def tools(where: str, value: JSON) -> list[JSON]:
    """Functions the model may call, in OpenAI's shape."""
    return [_tool(at, each) for at, each in _numbered(where, value)]


def _tool(where: str, value: JSON) -> dict[str, JSON]:
    if mapping(where, value).get("type") != "function":
        raise wrong(f"{where}.type", '"function"', value.get("type"))
    function = mapping(f"{where}.function", value.get("function"))
    text(f"{where}.function.name", function.get("name"))
    for name, rule in (("description", string), ("parameters", mapping), ("strict", boolean)):
        if function.get(name) is not None:
            rule(f"{where}.function.{name}", function[name])
    return dict(value)


def tool_choice(where: str, value: JSON) -> JSON:
    """none, auto, required, or the one function to call."""
    if isinstance(value, str):
        return one_of("none", "auto", "required")(where, value)
    if not isinstance(value, dict) or value.get("type") != "function":
        raise wrong(where, 'none, auto, required or {"type": "function", "function": {"name": ...}}', value)
    function = mapping(f"{where}.function", value.get("function"))
    return {"type": "function", "function": {"name": text(f"{where}.function.name", function.get("name"))}}


def _numbered(where: str, value: JSON) -> list[tuple[str, JSON]]:
    if not isinstance(value, list):
        raise wrong(where, "a list", value)
    if len(value) > MOST_TOOLS:
        raise refuse(where, f"`{where}` may hold at most {MOST_TOOLS} tools, not {len(value)}.")
    return [(f"{where}.{index}", each) for index, each in enumerate(value)]
