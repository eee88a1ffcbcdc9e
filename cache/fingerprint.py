"""Everything that can change an answer, as one name. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

JSON = Any

VERSION: Final = 1
"""Goes into every name: what was named by an earlier way of naming is never found again."""

NEUTRAL: Final = frozenset({"priority"})
"""Parameters that say when an answer is generated, and never what it is. All others count, known or not."""

_CHANCE: Final = frozenset({"min_p", "seed", "top_k", "top_p"})
"""What narrows or seeds the choice among tokens: at temperature 0 there is none."""

_EXACT: Final = 2.0**63


def fingerprint(
    namespace: Sequence[str],
    model: str,
    version: str,
    asked: JSON,
    parameters: Mapping[str, JSON],
    defaults: Mapping[str, JSON],
) -> str:
    """The name of an ask: the same for two exactly if either's answer is an answer to the other.

    `asked` are the messages or texts; `version` is of the model with its adapter, `defaults` are the parameters that it
    puts where none was sent. Neither the order of an object's members nor the spelling of a number means anything.
    """
    full = {name: value for name, value in {**defaults, **parameters}.items() if name not in NEUTRAL}
    if full.get("temperature") == 0:
        full = {name: value for name, value in full.items() if name not in _CHANCE}
    whole = [VERSION, list(namespace), model, version, asked, full]
    return hashlib.sha256(orjson.dumps(canonical(whole), option=orjson.OPT_SORT_KEYS)).hexdigest()


def canonical(value: JSON) -> JSON:
    """The value with equal numbers written alike: 1.0 is 1, as RFC 8785 (3.2.2.3) has it, and -0.0 is 0."""
    if isinstance(value, dict):
        return {name: canonical(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value
