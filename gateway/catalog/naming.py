"""How models and versions are called by Replicate's clients. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from gateway.tables import OWNER_AND_NAME

OWNER: Final = "hearth"
"""Whose the models are that nobody else's name is set for."""
LATEST: Final = "latest"

_DIGITS: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OTHERS: Final = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)


class Reference(NamedTuple):
    """What is asked for: a version by its digits or, for None, the newest one; of that model, or for None of any."""

    model: str | None
    digits: str | None


def full_name(model: str) -> str:
    """The owner/name of a model that none is set for: its own name where that is one, else hearth/NAME."""
    owner, slash, name = model.partition("/")
    if not slash or "/" in name or {owner, name} & {"", ".", ".."}:
        owner, name = OWNER, model
    return f"{_OTHERS.sub('-', owner)}/{_OTHERS.sub('-', name)}"


def username(namespace: str) -> str:
    """Whose a key's deployments are: its namespace, in letters that clients put into addresses."""
    return _OTHERS.sub("-", namespace) or OWNER


def full_names(models: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """The owner/name of each model, which is `given` for some: several of one name are versions of it.

    Raises ValueError where two have one that nobody gave them.
    """
    names = {model: given.get(model) or full_name(model) for model in models}
    derived: dict[str, str] = {}
    for model, name in names.items():
        if model not in given and derived.setdefault(name, model) != model:
            raise ValueError(
                f"{derived[name]} and {model} are both {name} to Replicate's clients:"
                f' give one of them another name, as `replicate = "owner/name"` under [model."{model}"].'
            )
    return names


def read(written: str) -> Reference | None:
    """What `64 digits`, `owner/name`, `owner/name:latest` or `owner/name:digits` means; None for anything else."""
    if _DIGITS.fullmatch(written):
        return Reference(None, written)
    model, colon, digits = written.partition(":")
    if not OWNER_AND_NAME.fullmatch(model) or not (digits == LATEST or not colon or _DIGITS.fullmatch(digits)):
        return None
    return Reference(model, None if digits in ("", LATEST) else digits)
