"""Raw texts in an OpenAI body: strings or token ids, one or several."""

from __future__ import annotations

from typing import Final

from engines.base import JSON
from gateway.wire.check import INT64, refuse, wrong

_FORMS: Final = "a string, a list of strings, a list of token ids, or a list of such lists"


def read(where: str, value: JSON) -> tuple[str | tuple[int, ...], ...]:
    """The texts that stand there. Raises HearthError `invalid_request`, naming the field."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise wrong(where, _FORMS, value)
    if not value:
        raise refuse(where, f"`{where}` must not be empty: it is {_FORMS}.")
    if not isinstance(value[0], str | list):
        return (_tokens(where, value),)
    kind = type(value[0])
    for index, each in enumerate(value):
        if type(each) is not kind:
            raise wrong(f"{where}.{index}", "of the same kind as the first", each)
    return tuple(
        each if isinstance(each, str) else _tokens(f"{where}.{index}", each) for index, each in enumerate(value)
    )


def _tokens(where: str, value: list[JSON]) -> tuple[int, ...]:
    if not value:
        raise refuse(where, f"`{where}` must hold at least one token id.")
    for index, token in enumerate(value):
        if type(token) is not int or not 0 <= token <= INT64:
            raise wrong(f"{where}.{index}", "a token id", token)
    return tuple(value)
