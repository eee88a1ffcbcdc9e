"""A model on Replicate, as a user writes it."""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from engines.base import Knobs
from engines.errors import EngineError

GRAMMAR: Final = "owner/name, owner/name:version, a version's id, or deployments/owner/name"

_PART: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_WRITTEN: Final = re.compile(
    rf"(?P<deployment>deployments/)?(?P<model>{_PART}/{_PART})(?::(?P<pinned>[0-9a-f]{{64}}))?|(?P<version>[0-9a-f]{{64}})"
)


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The knobs of a hosted model."""

    url: str = "https://api.replicate.com/v1"
    """Where the API is."""
    stays_warm_s: float = 60.0
    """How long the model is taken for warm after it was last seen at work."""
    context_length: int | None = None
    """How many tokens fit, which Replicate does not tell; limits and budgets reckon with it."""


class Source(NamedTuple):
    """Which model, and how it is reached. `model` is owner/name; at least one of it and `version` is there."""

    model: str | None
    version: str | None
    deployment: bool
    options: Options

    def __str__(self) -> str:
        model = f"deployments/{self.model}" if self.deployment else self.model
        return ":".join(part for part in (model, self.version) if part)


def parse(source: str, knobs: Knobs) -> Source:
    """The model those words name. Raises EngineError `bad_model_source`."""
    found = _WRITTEN.fullmatch(source)
    if found is None or (found["deployment"] and found["pinned"]):
        raise EngineError("bad_model_source", f"{source!r} names no model on Replicate; write {GRAMMAR}.")
    try:
        options = msgspec.convert(dict(knobs), Options, strict=False, str_keys=True)
    except msgspec.ValidationError as error:
        raise EngineError("bad_model_source", f"The knobs of {source}: {error}.") from None
    _check(options)
    return Source(found["model"], found["pinned"] or found["version"], bool(found["deployment"]), options)


def _check(options: Options) -> None:
    try:
        url = urlsplit(options.url)
        sound = url.scheme in ("http", "https") and url.hostname and url.port != 0 and not (url.query or url.fragment)
    except ValueError:
        sound = False
    if not sound:
        raise EngineError("bad_model_source", "The knob url reads https://api.replicate.com/v1.")
    if url.username is not None or url.password is not None:
        # It is shown in errors and lists: no place for a secret.
        raise EngineError("bad_model_source", "The knob url takes no user and no password; set replicate_api_token.")
    if not 0 < options.stays_warm_s < math.inf:
        raise EngineError("bad_model_source", "The knob stays_warm_s must be a number of seconds above 0.")
    if options.context_length is not None and options.context_length < 1:
        raise EngineError("bad_model_source", "The knob context_length must be a number of tokens from 1 up.")
