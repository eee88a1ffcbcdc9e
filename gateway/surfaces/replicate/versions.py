"""/models/{owner}/{name}/versions: list them, look at one, push one, take one back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.catalog.base import Version
from gateway.errors import HearthError
from gateway.surfaces.body import BodyLimits
from gateway.surfaces.caller import administrator
from gateway.surfaces.identity import identify
from gateway.surfaces.presence import ClientLeft
from gateway.surfaces.replicate.models import Shop, show_version
from gateway.wire.replicate import pages, registering


def routes(shop: Shop) -> list[Route]:
    """The routes of versions, without a prefix."""

    async def list_all(request: Request) -> Response:
        headers, listed = identify(request), shop.listed(request)
        url = f"{shop.address(request)}/models/{listed.full_name}/versions"
        shown = [show_version(version) for version in listed.versions]
        return JSONResponse(pages.of_list(shown, url, dict(request.query_params)), headers=headers)

    async def get(request: Request) -> Response:
        headers = identify(request)
        return JSONResponse(show_version(_version(shop, request)), headers=headers)

    async def push(request: Request) -> Response:
        headers, key = identify(request), administrator(request)
        owner, name = request.path_params["owner"], request.path_params["name"]
        registry, model = shop.registry, registering.full_name("name", f"{owner}/{name}")
        push = await registry.pushes.add(model, _pieces(request, shop.limits), key.namespace)
        await registry.turn()
        for version in registry.catalog.model(owner, name, key).versions:
            if version.model == push.model:
                headers["location"] = f"{shop.address(request)}/models/{model}/versions/{version.id}"
                return JSONResponse(show_version(version), 201, headers)
        raise HearthError("unknown_version", f"{model} was taken back again.")

    async def remove(request: Request) -> Response:
        headers, _ = identify(request), administrator(request)
        version = _version(shop, request)
        if running := await shop.registry.deployments.running(version.id):
            told = f"The deployment {running[0].name} runs this version; have it run another one, or delete it, first."
            raise HearthError("version_in_use", told)
        if not await shop.registry.pushes.remove(version.model):
            told = f"{version.model} is in this server's settings, and served until it is taken out of them."
            raise HearthError("forbidden", told)
        await shop.registry.turn()
        return Response(status_code=202, headers=headers)

    return [
        Route("/models/{owner}/{name}/versions", list_all, methods=["GET"]),
        Route("/models/{owner}/{name}/versions", push, methods=["POST"]),
        Route("/models/{owner}/{name}/versions/{id}", get, methods=["GET"]),
        Route("/models/{owner}/{name}/versions/{id}", remove, methods=["DELETE"]),
    ]


def _version(shop: Shop, request: Request) -> Version:
    """The version that a path names. Raises HearthError `unknown_model`, `not_found`."""
    listed, id = shop.listed(request), request.path_params["id"]
    for version in listed.versions:
        if version.id == id:
            return version
    raise HearthError("not_found", f"{listed.full_name} has no such version here.")


async def _pieces(request: Request, limits: BodyLimits) -> AsyncIterator[bytes]:
    """The body as it comes, which may take any time while it does. Raises HearthError `request_timeout`; ClientLeft."""
    body = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(limits.deadline_s):
                piece = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise HearthError("request_timeout") from None
        except ClientDisconnect:
            raise ClientLeft from None
        yield piece
