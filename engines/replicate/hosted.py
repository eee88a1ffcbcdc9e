"""What is to be known of a model before it is asked: where, and in which words."""

from __future__ import annotations

from typing import Final, NamedTuple

from engines.base import JSON, Traits
from engines.errors import EngineError
from engines.replicate.platform import Platform
from engines.replicate.schema import Schema, read
from engines.replicate.source import GRAMMAR, Source
from engines.replicate.wire import Deployment, Model, Version

_HIDDEN: Final = "hidden"
"""The version of official models that have none to be named."""


class Hosted(NamedTuple):
    """A model as it is served now."""

    path: str
    """Where its predictions are created."""
    body: dict[str, JSON]
    """What such a call says beside the input."""
    schema: Schema
    version: str | None
    """What determines its answers, where Replicate tells it."""

    def traits(self, context_length: int | None) -> Traits:
        return Traits(
            context_length=context_length,
            parameters=self.schema.parameters,
            embeds=False,
            version=self.version,
            goes_cold=True,
            chat_defaults=self.schema.defaults,
            text_defaults=self.schema.defaults,
        )


async def find(platform: Platform, source: Source) -> Hosted:
    """Ask the platform for a model. Raises EngineError, `bad_model_source` if there is none such."""
    if source.deployment:
        return await _deployment(platform, source)
    if source.version is not None:
        model = source.model or await _owner(platform, source.version)
        version = await _version(platform, model, source.version)
        return _pinned(version, str(source))
    told = await platform.get(f"/models/{source.model}", Model)
    if told.latest_version is None:
        message = f"Replicate shows no version of {source}, and so not what it takes; write owner/name:version."
        raise EngineError("bad_model_source", message)
    shown = told.latest_version.id
    if told.is_official or shown == _HIDDEN:
        schema = _schema(told.latest_version, str(source))
        return Hosted(f"/models/{source.model}/predictions", {}, schema, None if shown == _HIDDEN else shown)
    return _pinned(told.latest_version, str(source))


async def _deployment(platform: Platform, source: Source) -> Hosted:
    deployment = await platform.get(f"/{source}", Deployment)
    release = deployment.current_release
    if release is None:
        raise EngineError("bad_model_source", f"{source} has no release; write {GRAMMAR}.")
    version = await _version(platform, release.model, release.version)
    return Hosted(f"/{source}/predictions", {}, _schema(version, str(source)), version.id)


async def _version(platform: Platform, model: str, id: str) -> Version:
    return await platform.get(f"/models/{model}/versions/{id}", Version)


async def _owner(platform: Platform, version: str) -> str:
    """The model of a version. Only a prediction tells it: one is begun, and canceled at once."""
    prediction = await platform.create("/predictions", {"version": version, "input": {"prompt": "Hi"}})
    await platform.cancel(prediction.id)
    if not prediction.model:
        raise EngineError("bad_model_source", f"Replicate does not say what {version} is of; write owner/name:version.")
    return prediction.model


def _pinned(version: Version, source: str) -> Hosted:
    return Hosted("/predictions", {"version": version.id}, _schema(version, source), version.id)


def _schema(version: Version, source: str) -> Schema:
    if version.openapi_schema is None:
        raise EngineError("bad_model_source", f"Replicate does not show what {source} takes.")
    return read(version.openapi_schema)
