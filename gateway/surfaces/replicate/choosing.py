"""What a create call runs, by the route that it came on."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from starlette.requests import Request

from gateway.catalog.base import Catalog, Found
from gateway.errors import HearthError
from gateway.keys import Key
from gateway.wire.replicate.fields import missing, refused


class Deployed(Protocol):
    """All deployments."""

    async def runs(self, owner: str, name: str, key: Key) -> Found:
        """What one runs. Raises HearthError `unknown_deployment`, `unknown_version`, `state_unavailable`."""


class Chosen(NamedTuple):
    """A version of a model, and the deployment that was asked for, if one was."""

    found: Found
    deployment: str | None = None


async def choose(request: Request, version: str | None, key: Key, catalog: Catalog, deployed: Deployed) -> Chosen:
    """What is meant. Raises HearthError `unknown_model`, `unknown_version`, `unknown_deployment`, `invalid_inputs`."""
    owner, name = request.path_params.get("owner"), request.path_params.get("name")
    if owner is None or name is None:
        if version is None:
            raise refused([missing("version", "")])
        return Chosen(catalog.version(version, key))
    if "/deployments/" in request.url.path:
        return Chosen(await deployed.runs(owner, name, key), f"{owner}/{name}")
    listed = catalog.model(owner, name, key)
    if not listed.versions:
        told = f"{listed.full_name} has no version yet; `hearth push FOLDER {listed.full_name}` gives it one."
        raise HearthError("unknown_version", told)
    return Chosen(Found(listed, listed.latest))
