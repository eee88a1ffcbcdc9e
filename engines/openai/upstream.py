"""Where an upstream is, and what is to be known to ask it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from engines.base import Knobs
from engines.errors import EngineError

_GRAMMAR: Final = "write its base URL, as in http://10.0.0.1:8000/v1, or the name of a table [engine.NAME]"


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenAI-compatible server, or one model of one. `url` is its base, and ends with /v1 as a rule."""

    url: str
    model: str | None = None
    """Its own name of the model; None where it serves a single one."""
    key: str | None = None
    start: tuple[str, ...] = ()
    """The words of a command that starts it, or `POST` and a URL; none for one that runs by itself."""
    stop: tuple[str, ...] = ()
    """Likewise, to stop it."""
    connect_s: float = 5.0
    health_s: float = 10.0
    """How often it is asked whether it is well."""
    command_s: float = 60.0
    """How long `stop`, or a `POST`, may take."""

    def __repr__(self) -> str:
        # The key is nobody's business, and commands may hold one.
        return f"Upstream({self.url!r}, model={self.model!r})"

    @property
    def root(self) -> str:
        """The server itself, where /health, /version and /metrics are."""
        return self.url.removesuffix("/v1")


def find(name: str, source: str, knobs: Knobs, tables: Mapping[str, Upstream]) -> Upstream:
    """The upstream that a model's source names, with what its knobs say otherwise.

    Raises EngineError `bad_model_source`.
    """
    upstream = tables.get(source)
    if upstream is None:
        if "://" not in source:
            raise _bad(name, f"there is no table [engine.{source}]; {_GRAMMAR}" if source else _GRAMMAR)
        upstream = Upstream(url=source)
    changed: dict[str, str | float] = {"url": _base(name, upstream.url)}
    for knob, value in knobs.items():
        if knob == "model":
            changed[knob] = value
        elif knob in ("connect_s", "health_s", "command_s"):
            changed[knob] = _seconds(name, knob, value)
        else:
            raise _bad(name, f"there is no knob {knob!r}; there are model, connect_s, health_s, command_s")
    return msgspec.structs.replace(upstream, **changed)


def _base(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound:
        raise _bad(name, f"that is no URL; {_GRAMMAR}")
    if parts.username is not None or parts.password is not None:
        raise _bad(name, "a URL must hold no name and no password; put `key` into a table [engine.NAME]")
    if parts.query or parts.fragment:
        raise _bad(name, f"a base URL has no query; {_GRAMMAR}")
    return url.rstrip("/")


def _seconds(name: str, knob: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise _bad(name, f"{knob} is a number of seconds")
    return seconds


def _bad(name: str, why: str) -> EngineError:
    return EngineError("bad_model_source", f"{name}=openai: {why}.")
