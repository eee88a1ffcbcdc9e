"""Checks of JSON values that say what is wrong where, and what would be right."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import orjson

from engines.base import JSON
from gateway.errors import HearthError

Rule = Callable[[str, JSON], JSON]
"""Takes where a value stands and the value; gives its canonical form, or raises HearthError `invalid_request`."""

INT64 = 2**63 - 1


def refuse(where: str, sentence: str) -> HearthError:
    """The error for that place in the body."""
    return HearthError("invalid_request", sentence, parameter=where)


def wrong(where: str, must: str, value: JSON) -> HearthError:
    """The error for a value that is not what it must be."""
    return refuse(where, f"`{where}` must be {must}, not {_shown(value)}.")


def boolean(where: str, value: JSON) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise wrong(where, "true or false", value)
    return value


def string(where: str, value: JSON) -> str:
    """A string, an empty one too."""
    if not isinstance(value, str):
        raise wrong(where, "a string", value)
    return value


def text(where: str, value: JSON) -> str:
    """A string with something in it."""
    if not isinstance(value, str) or not value:
        raise wrong(where, "a string that is not empty", value)
    return value


def mapping(where: str, value: JSON) -> dict[str, JSON]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    return value


def anything(where: str, value: JSON) -> JSON:
    """Any value: whoever uses it knows more of it."""
    return value


def number(low: float = -math.inf, high: float = math.inf, *, above: bool = False) -> Rule:
    """A finite number from `low` (or above it) to `high`; always given as a float."""

    def rule(where: str, value: JSON) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits or not low <= value <= high or (above and value == low):
            raise wrong(where, f"a number{_span(low, high, above)}", value)
        return float(value)

    return rule


def integer(low: int = -INT64 - 1, high: int = INT64) -> Rule:
    """A whole number from `low` to `high`."""

    def rule(where: str, value: JSON) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            span = _span(low if low > -INT64 else -math.inf, high if high < INT64 else math.inf, False)
            raise wrong(where, f"an integer{span}", value)
        return value

    return rule


def one_of(*words: str) -> Rule:
    """One of these strings."""

    def rule(where: str, value: JSON) -> str:
        if not isinstance(value, str) or value not in words:
            raise wrong(where, f"one of {', '.join(words)}", value)
        return value

    return rule


def several(item: Rule, what: str, *, least: int = 0, most: int | None = None) -> Rule:
    """A list of values that each fit `item`."""

    def rule(where: str, value: JSON) -> list[JSON]:
        if not isinstance(value, list):
            raise wrong(where, f"a list of {what}", value)
        if len(value) < least:
            raise refuse(where, f"`{where}` must hold at least {least} of the {what}.")
        if most is not None and len(value) > most:
            raise refuse(where, f"`{where}` may hold at most {most} {what}, not {len(value)}.")
        return [item(f"{where}.{index}", each) for index, each in enumerate(value)]

    return rule


def bounded(rule: Rule, most: int) -> Rule:
    """The rule, for values of at most so many bytes as JSON."""

    def bounding(where: str, value: JSON) -> JSON:
        try:
            size = len(orjson.dumps(value))
        except TypeError:
            raise refuse(where, f"`{where}` holds a number beyond 64 bits.") from None
        if size > most:
            raise refuse(where, f"`{where}` may be at most {most} bytes of JSON, not {size}.")
        return rule(where, value)

    return bounding


def shallow(body: JSON, most: int = 64) -> None:
    """Refuse what is nested deeper than that: whoever walks it later would run out of stack."""
    level = [body]
    for _ in range(most):
        level = [
            below
            for each in level
            for below in (each.values() if isinstance(each, dict) else each)
            if isinstance(below, dict | list)
        ]
        if not level:
            return
    raise HearthError("invalid_request", f"The body is nested deeper than {most} levels.")


def _shown(value: JSON) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list" if value else "an empty list"
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _span(low: float, high: float, above: bool) -> str:
    if math.isinf(low) and math.isinf(high):
        return ""
    least, most = _plain(low), _plain(high)
    if math.isinf(high):
        return f" above {least}" if above else f" of at least {least}"
    return f" above {least}, up to {most}" if above else f" from {least} to {most}"


def _plain(number: float) -> str:
    return str(int(number)) if math.isfinite(number) and number == int(number) else f"{number:g}"
