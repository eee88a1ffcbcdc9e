"""Engines by the words a user names them with: NAME=ENGINE:SOURCE?knob=value&..."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

from engines import contents
from engines.base import Engine, Knobs
from engines.errors import EngineError
from engines.seat import Place

if TYPE_CHECKING:
    from engines.openai.upstream import Upstream
    from engines.porter import Porter
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
        raise EngineError("bad_model_source", f"{_bare(written)!r} names no model; write {GRAMMAR}.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise EngineError("bad_model_source", f"{query!r} is not a list of knobs; write {GRAMMAR}.") from None
    knobs = dict(pairs)
    if len(knobs) < len(pairs):
        raise EngineError("bad_model_source", f"A knob stands twice in {query!r}.")
    return ModelSource(name, engine, source, knobs)


def _bare(written: str) -> str:
    """The same without users and passwords in addresses."""
    return re.sub(r"//[^/\s]*@", "//", written)


class Elsewhere(NamedTuple):
    """Hosts that another process keeps for all workers of a server."""

    server: str
    """What these workers are called together: no other server has that name."""
    hosting: Callable[[str], Hosting]
    """The way to the host of an engine."""


class Predictors(NamedTuple):
    """What Cog's predictors of one server have in common."""

    cache: Path = Path("~/.cache/hearth/cog")
    """Where their environments and schemas are kept."""
    passed: Mapping[str, str] = {}
    """Environment variables that their processes are told; there are few others."""
    installing: Mapping[str, str] = {}
    """Environment variables that uv is told besides, which installs what they need."""
    porter: Porter | None = None
    """Carries files to them, and from them."""


def build(
    models: Iterable[ModelSource],
    elsewhere: Elsewhere | None = None,
    upstreams: Mapping[str, Upstream] | None = None,
    *,
    replicate_token: str | None = None,
    keep_vllm: bool = True,
    predictors: Predictors | None = None,
) -> list[Place]:
    """The engines of one server, none of them started; those of one name are behind it together.

    Raises EngineError `bad_model_source`.

    With `elsewhere` another process keeps the hosts; else the server keeps its own. `upstreams` are those that a source
    may name. `replicate_token` is the key to Replicate; models there do not start without it. With `keep_vllm` the
    server keeps the process that has imported vLLM also while all models are cold.
    """
    shared = _Shared(elsewhere, upstreams or {}, replicate_token, keep_vllm, predictors or Predictors())
    places: list[Place] = []
    count: Counter[str] = Counter()
    for model in models:
        make = _MAKERS.get(model.engine)
        if make is None:
            known = ", ".join(_MAKERS)
            raise EngineError("bad_model_source", f"There is no engine {model.engine!r}; there are {known}.")
        count[model.name] += 1
        # No name of a model's own has a space in it.
        id = model.name if count[model.name] == 1 else f"{model.name} {count[model.name]}"
        made = make(model, id, shared)
        if made.address is not None and made.address in (place.shared for place in places):
            raise EngineError("bad_model_source", f"{made.address} stands twice.")
        place = Place(id, model.name, made.engine, made.address, remembered=made.remembered, identity=made.identity)
        places.append(place._replace(predictor=made.predictor, look=made.look))
    return places


class _Made(NamedTuple):
    engine: Engine
    identity: Callable[[], str]
    """What determines its answers; see Place."""
    address: str | None = None
    """What it is called by all replicas, where it is no process of this one."""
    remembered: str | None = None
    """What its boots are remembered by, where its address is new with each start."""
    predictor: bool = False
    """Whether it takes inputs of its own."""
    look: Callable[[], Awaitable[None]] | None = None
    """Finds out which these are; see Place."""


class _Shared:
    """What the engines of one server have in common."""

    def __init__(
        self,
        elsewhere: Elsewhere | None,
        upstreams: Mapping[str, Upstream],
        replicate_token: str | None,
        keep_vllm: bool,
        predictors: Predictors,
    ) -> None:
        self.elsewhere = elsewhere
        self.upstreams = upstreams
        self.replicate_token = replicate_token
        self._keep_vllm = keep_vllm
        self.predictors = predictors

    @cached_property
    def nest(self) -> Nest:
        from engines.vllm.nest import Nest

        return Nest(self._keep_vllm)


# A backend is imported when it is named, not before: each brings what the others do not need.


def _scripted(model: ModelSource, id: str, shared: _Shared) -> _Made:
    from engines.scripted.engine import ScriptedEngine
    from engines.scripted.script import parse as parse_script

    if model.source:
        raise EngineError("bad_model_source", f"{model.name}=scripted: takes no source, only knobs after a `?`.")
    return _Made(ScriptedEngine(parse_script(model.knobs)), _as_written(model.engine, model.knobs))


def _vllm(model: ModelSource, id: str, shared: _Shared) -> _Made:
    from engines.vllm.engine import VllmEngine
    from engines.vllm.hosting import BUNDLED, OwnHost
    from engines.vllm.resting import split
    from engines.vllm.version import identity_of

    if not model.source:
        raise EngineError("bad_model_source", f"{model.name}=vllm: wants a folder, a model's name, or `bundled`.")
    level, knobs = split(model.name, model.knobs)
    identity = partial(identity_of, str(BUNDLED) if model.source == "bundled" else model.source, knobs)
    if shared.elsewhere is not None:
        # Whether it sleeps is the business of whoever keeps the host.
        server, hosting = shared.elsewhere
        return _Made(VllmEngine(hosting(id)), identity, f"{server}/{id}", id)
    host = OwnHost(shared.nest, model.name, model.source, knobs, sleeps=level is not None)
    return _Made(VllmEngine(host, level), identity)


def _openai(model: ModelSource, id: str, shared: _Shared) -> _Made:
    from engines.openai.engine import OpenAIEngine
    from engines.openai.upstream import find

    upstream = find(model.name, model.source, model.knobs, shared.upstreams)
    asked = upstream.model or model.name
    identity = _as_written(model.engine, upstream.url, asked)
    return _Made(OpenAIEngine(upstream), identity, f"{model.name}=openai:{upstream.url}?model={asked}")


def _replicate(model: ModelSource, id: str, shared: _Shared) -> _Made:
    from engines.replicate.engine import ReplicateEngine
    from engines.replicate.source import parse as parse_source

    engine = ReplicateEngine(parse_source(model.source, model.knobs), shared.replicate_token)
    identity = _as_written(model.engine, model.source, model.knobs)
    return _Made(engine, identity, f"{model.name}=replicate:{model.source}")


def _as_written(*words: Any) -> Callable[[], str]:
    """The identity of what is known by its settings alone, as all is that runs elsewhere."""
    return partial(contents.digest, *words)


def _cog(model: ModelSource, id: str, shared: _Shared) -> _Made:
    from engines.cog.engine import CogEngine
    from engines.cog.source import Recipe
    from engines.cog.source import parse as parse_source
    from engines.cog.version import version_of

    source = parse_source(model.source, model.knobs)
    if isinstance(source, Recipe) and shared.elsewhere is not None:
        message = f"{model.name}=cog: wants a server of one process: set workers = 1, or name a container."
        raise EngineError("bad_model_source", message)
    engine = CogEngine(source, shared.predictors)
    if isinstance(source, Recipe):
        return _Made(engine, partial(version_of, source), predictor=True, look=engine.look)
    identity = _as_written(model.engine, source.url)
    return _Made(engine, identity, f"{model.name}=cog:{source.url}", predictor=True, look=engine.look)


_MAKERS: Final[Mapping[str, Callable[[ModelSource, str, _Shared], _Made]]] = {
    "vllm": _vllm,
    "openai": _openai,
    "replicate": _replicate,
    "cog": _cog,
    "scripted": _scripted,
}
