"""What is said of a model or a deployment, as Replicate's clients write it. Pure.

Nulls count as absent, and what is not known here is passed over: clients send fields that mean something elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engines.base import JSON
from gateway.errors import HearthError
from gateway.tables import OWNER_AND_NAME
from gateway.wire.check import Rule, bounded, integer, one_of, refuse, string, text

_WORDS: Final = bounded(string, 10_000)
_MOST_INSTANCES: Final = 1000
_LONGEST_NAME: Final = 200

_SAID: Final[Mapping[str, Rule]] = {
    "description": _WORDS,
    "readme": bounded(string, 1 << 20),
    "github_url": _WORDS,
    "paper_url": _WORDS,
    "weights_url": _WORDS,
    "license_url": _WORDS,
    "cover_image_url": _WORDS,
}
_OF_MODEL: Final[Mapping[str, Rule]] = {
    **_SAID,
    "visibility": one_of("public", "private"),
    "hardware": bounded(text, 200),
}
_OF_RELEASE: Final[Mapping[str, Rule]] = {
    "version": bounded(text, 500),
    "hardware": bounded(text, 200),
    "min_instances": integer(0, _MOST_INSTANCES),
    "max_instances": integer(1, _MOST_INSTANCES),
}


def model(body: Mapping[str, JSON]) -> tuple[str, dict[str, Any]]:
    """The owner/name of a new model, and what is said of it. Raises HearthError `invalid_request`."""
    owner, name = (text(field, body.get(field)) for field in ("owner", "name"))
    return full_name("name", f"{owner}/{name}"), _read(body, _OF_MODEL)


def changes(body: Mapping[str, JSON], owner: str, name: str) -> dict[str, Any]:
    """What is to be said of that model from now on. Raises HearthError `invalid_request`, `invalid_inputs`."""
    for field, own in (("owner", owner), ("name", name)):
        if body.get(field) not in (None, own):
            raise HearthError("invalid_inputs", f"A model keeps its {field}; this one's is {own}.", parameter=field)
    return _read(body, _SAID)


def deployment(body: Mapping[str, JSON], owner: str) -> tuple[str, dict[str, Any]]:
    """The owner/name of a new deployment, and what it runs. Raises HearthError `invalid_request`.

    It is the `owner`'s where its name names nobody.
    """
    name = text("name", body.get("name"))
    said = {"min_instances": 0, "max_instances": 1, "hardware": "cpu", **release(body)}
    said["model"] = full_name("model", text("model", body.get("model")))
    text("version", body.get("version"))
    return full_name("name", name if "/" in name else f"{owner}/{name}"), said


def release(body: Mapping[str, JSON]) -> dict[str, Any]:
    """What a deployment is to run from now on. Raises HearthError `invalid_request`."""
    return _read(body, _OF_RELEASE)


def full_name(where: str, written: str) -> str:
    """An owner/name that may be given to something. Raises HearthError `invalid_request`."""
    if len(written) > _LONGEST_NAME:
        raise refuse(where, f"`{where}` is too long: with its owner it has {_LONGEST_NAME} letters at most.")
    if not OWNER_AND_NAME.fullmatch(written):
        raise refuse(where, f"`{where}` is made of letters, digits and ._- alone, and more than `.` or `..`.")
    return written


def _read(body: Mapping[str, JSON], rules: Mapping[str, Rule]) -> dict[str, Any]:
    return {name: rule(name, body[name]) for name, rule in rules.items() if body.get(name) is not None}
