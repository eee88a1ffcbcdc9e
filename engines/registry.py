"""Engines by the words a user names them with: NAME=ENGINE:SOURCE?knob=value&..."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from engines.base import Engine, Knobs
from engines.errors import EngineError

GRAMMAR: Final = "NAME=ENGINE:SOURCE?knob=value&..., as in campfire=vllm:bundled"


class ModelSource(NamedTuple):
    """A model as the user named it."""

    name: str
    engine: str
    source: str
    knobs: Knobs


def parse(written: str) -> ModelSource:
    """The parts of `NAME=ENGINE:SOURCE?knob=value&...`. Raises EngineError `bad_model_source`."""
    name, equals, rest = written.partition("=")
    engine, colon, tail = rest.partition(":")
    source, _, query = tail.partition("?")
    if not (name and equals and engine and colon):
        raise EngineError("bad_model_source", f"{written!r} names no model; write {GRAMMAR}.")
    try:
        knobs = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise EngineError("bad_model_source", f"{query!r} is not a list of knobs; write {GRAMMAR}.") from None
    return ModelSource(name, engine, source, knobs)


def build(model: ModelSource) -> Engine:
    """The engine for a model, not yet started. Raises EngineError `bad_model_source`."""
    make = _MAKERS.get(model.engine)
    if make is None:
        raise EngineError("bad_model_source", f"There is no engine {model.engine!r}; there are {', '.join(_MAKERS)}.")
    return make(model)


# A backend is imported when it is named, not before: each brings what the others do not need.


def _scripted(model: ModelSource) -> Engine:
    from engines.scripted import ScriptedEngine
    from engines.scripted import parse as parse_script

    return ScriptedEngine(parse_script(model.knobs))


def _vllm(model: ModelSource) -> Engine:
    from engines.vllm.engine import VllmEngine

    return VllmEngine.named(model.name, model.source, model.knobs)


_MAKERS: Final[Mapping[str, Callable[[ModelSource], Engine]]] = {"vllm": _vllm, "scripted": _scripted}
