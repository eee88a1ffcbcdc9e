"""Getting to know an upstream: what it serves, what it takes, and whether it really answers."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from engines.base import JSON, Prompt, Traits
from engines.errors import EngineError
from engines.openai import asking
from engines.openai.asking import Job, Manners
from engines.openai.connection import Connection
from engines.openai.refusals import refusal
from engines.openai.upstream import Upstream

_ASK_S: Final = 10.0
"""Seconds that a list or a health check may take."""
_OPENAI: Final = ("openai", "openai-internal", "system")
"""Who owns OpenAI's own models."""
_BEAT: Final = "beat"


class Model(Struct, rename={"longest": "max_model_len"}):
    """What /v1/models says of one; its context is named differently by vLLM and SGLang, OpenRouter, and Groq."""

    id: str
    owned_by: str | None = None
    root: str | None = None
    meta: JSON = None
    """llama.cpp's: size and vocabulary."""
    longest: int | None = None
    context_length: int | None = None
    context_window: int | None = None


class Models(Struct):
    """The list."""

    data: list[Model] = []


class _Version(Struct):
    version: str | None = None


class Met(NamedTuple):
    """An upstream that was found well: what it is, how to ask it, and what to ask to see that it still lives."""

    traits: Traits
    manners: Manners
    beat: Job
    health: str
    """A URL that answers 200 while it is well."""


async def meet(connection: Connection, upstream: Upstream) -> Met:
    """Find out about an upstream, until it decoded a token or computed a vector. Raises EngineError."""
    model = await _find(connection, upstream)
    version = await _version(connection, upstream)
    # What is silent about its owner but tells vLLM's version is a vLLM behind something.
    manners = Manners(model.id, model.owned_by == "vllm", model.owned_by in _OPENAI)
    beat = await _first_token(connection, manners)
    traits = Traits(
        context_length=model.longest or model.context_length or model.context_window,
        chat=beat.path == asking.CHAT,
        embeds=beat.path == asking.EMBED,
        version=_fingerprint(model, version),
    )
    return Met(traits, manners, beat, await _health(connection, upstream))


async def ask(connection: Connection, beat: Job) -> None:
    """See that it still answers. Raises EngineError."""
    answer = await connection.post(connection.base + beat.path, beat.body, _BEAT, beat.too_long)
    if b'"choices"' not in answer and b'"embedding"' not in answer:
        raise EngineError("engine_failed", f"{connection.host} answered with something else than a token.")


async def _find(connection: Connection, upstream: Upstream) -> Model:
    status, told = await connection.get(connection.base + "/models", _ASK_S)
    if status != 200:
        if upstream.model is not None and status in (404, 405):
            return Model(upstream.model)
        raise refusal(status, {}, told, host=connection.host, now=0, too_long="")
    try:
        models = msgspec.json.decode(told, type=Models).data
    except msgspec.DecodeError:
        message = f"{connection.host} has no list of models at {connection.base}/models; is the URL right?"
        raise EngineError("boot_failed", message) from None
    if upstream.model is None:
        if len(models) != 1:
            names = ", ".join(model.id for model in models[:10])
            raise EngineError("boot_failed", f"{connection.host} serves {names or 'nothing'}; name one with `model`.")
        return models[0]
    # Hosted services serve more than they list.
    return next((model for model in models if model.id == upstream.model), Model(upstream.model))


async def _version(connection: Connection, upstream: Upstream) -> str | None:
    """vLLM's."""
    status, told = await connection.get(connection.root + "/version", _ASK_S)
    try:
        return msgspec.json.decode(told, type=_Version).version if status == 200 else None
    except msgspec.DecodeError:
        return None


async def _first_token(connection: Connection, manners: Manners) -> Job:
    """What it answers: chats, texts, or with vectors. Raises EngineError `boot_failed` with what it says to chats."""
    one = {"model": manners.model, "max_completion_tokens" if manners.completion_limit else "max_tokens": 1}
    jobs = [
        Job(asking.CHAT, {**one, "messages": [{"role": "user", "content": "."}]}, (0,)),
        Job(asking.TEXT, {**one, "prompt": "."}, (0,)),
        asking.vectors(Prompt(texts=(".",)), manners)[0],
    ]
    refused: EngineError | None = None
    for job in jobs:
        try:
            await ask(connection, job)
            return job
        except EngineError as error:
            if error.code in ("engine_busy", "engine_unreachable", "upstream_budget"):
                raise
            refused = refused or error
    assert refused is not None
    raise EngineError("boot_failed", refused.message)


async def _health(connection: Connection, upstream: Upstream) -> str:
    """vLLM, SGLang, TGI and llama.cpp have /health; of a hosted one the list of models says as much."""
    status, _ = await connection.get(connection.root + "/health", _ASK_S)
    return connection.root + "/health" if status == 200 else connection.base + "/models"


def _fingerprint(model: Model, version: str | None) -> str:
    """What determines its answers, as far as it tells: two servers of one model have the same."""
    told = [model.id, model.owned_by, model.root, model.meta, model.longest, version]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:32]
