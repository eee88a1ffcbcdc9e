"""Engines by the words a user names them with: NAME=ENGINE:SOURCE?knob=value&..."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl

from engines.base import Engine, Knobs
from engines.errors import EngineError

if TYPE_CHECKING:
    from engines.vllm.hosting import Hosting
    from engines.vllm.nest import Nest

GRAMMAR: Final = "NAME=ENGINE:SOURCE?knob=value&..., as in campfire=vllm:bundled"

_NAME: Final = re.compile(r"[!-~]{1,200}", re.ASCII)
"""What stands in URLs, headers and metrics: visible letters."""


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
    if not (name and equals and engine and colon) or not _NAME.fullmatch(name):
        raise EngineError("bad_model_source", f"{written!r} names no model; write {GRAMMAR}.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise EngineError("bad_model_source", f"{query!r} is not a list of knobs; write {GRAMMAR}.") from None
    knobs = dict(pairs)
    if len(knobs) < len(pairs):
        raise EngineError("bad_model_source", f"A knob stands twice in {query!r}.")
    return ModelSource(name, engine, source, knobs)


def build(
    models: Iterable[ModelSource], elsewhere: Callable[[str], Hosting] | None = None, keep_vllm: bool = True
) -> dict[str, Engine]:
    """The engines of one server by model name, none of them started. Raises EngineError `bad_model_source`.

    `elsewhere` gives a model the way to a host that another process keeps; else the server keeps its own. With
    `keep_vllm` it also keeps the process that has imported vLLM, while all models are cold.
    """
    shared = _Shared(elsewhere, keep_vllm)
    engines: dict[str, Engine] = {}
    for model in models:
        if model.name in engines:
            raise EngineError("bad_model_source", f"Two models are named {model.name!r}.")
        make = _MAKERS.get(model.engine)
        if make is None:
            known = ", ".join(_MAKERS)
            raise EngineError("bad_model_source", f"There is no engine {model.engine!r}; there are {known}.")
        engines[model.name] = make(model, shared)
    return engines


class _Shared:
    """What the engines of one server have in common."""

    def __init__(self, elsewhere: Callable[[str], Hosting] | None, keep_vllm: bool) -> None:
        self.elsewhere = elsewhere
        self._keep_vllm = keep_vllm

    @cached_property
    def nest(self) -> Nest:
        from engines.vllm.nest import Nest

        return Nest(self._keep_vllm)


# A backend is imported when it is named, not before: each brings what the others do not need.


def _scripted(model: ModelSource, shared: _Shared) -> Engine:
    from engines.scripted import ScriptedEngine
    from engines.scripted import parse as parse_script

    if model.source:
        raise EngineError("bad_model_source", f"{model.name}=scripted: takes no source, only knobs after a `?`.")
    return ScriptedEngine(parse_script(model.knobs))


def _vllm(model: ModelSource, shared: _Shared) -> Engine:
    from engines.vllm.engine import VllmEngine
    from engines.vllm.hosting import OwnHost
    from engines.vllm.resting import split

    if not model.source:
        raise EngineError("bad_model_source", f"{model.name}=vllm: wants a folder, a model's name, or `bundled`.")
    level, knobs = split(model.name, model.knobs)
    if shared.elsewhere is not None:
        # Whether it sleeps is the business of whoever keeps the host.
        return VllmEngine(shared.elsewhere(model.name))
    return VllmEngine(OwnHost(shared.nest, model.name, model.source, knobs, sleeps=level is not None), level)


_MAKERS: Final[Mapping[str, Callable[[ModelSource, _Shared], Engine]]] = {"vllm": _vllm, "scripted": _scripted}
