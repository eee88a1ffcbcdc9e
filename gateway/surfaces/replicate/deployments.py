"""/deployments: a version under a name of its own, and how many engines of it are warm."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.catalog.deployments import unknown
from gateway.catalog.naming import username
from gateway.catalog.records import Deployment
from gateway.errors import HearthError
from gateway.keys import Key
from gateway.surfaces.body import read_json
from gateway.surfaces.caller import administrator, caller
from gateway.surfaces.identity import identify
from gateway.surfaces.replicate.models import Shop
from gateway.wire.replicate import objects, pages, registering


def routes(shop: Shop) -> list[Route]:
    """The routes, without a prefix."""
    deployments = shop.registry.deployments

    async def list_all(request: Request) -> Response:
        headers, key = identify(request), caller(request)
        found = [each for each in await deployments.all() if _may_see(shop, each, key)]
        url = f"{shop.address(request)}/deployments"
        page = pages.of_list([_show(each) for each in found], url, dict(request.query_params))
        return JSONResponse(page, headers=headers)

    async def create(request: Request) -> Response:
        headers, key = identify(request), administrator(request)
        body = await read_json(request, shop.limits)
        name, said = registering.deployment(body, username(key.namespace))
        return JSONResponse(_show(await deployments.add(name, said, key)), headers=headers)

    async def get(request: Request) -> Response:
        headers, key = identify(request), caller(request)
        found = await deployments.get(*_named(request))
        if not _may_see(shop, found, key):
            raise unknown(*_named(request))
        return JSONResponse(_show(found), headers=headers)

    async def change(request: Request) -> Response:
        headers, key = identify(request), administrator(request)
        said = registering.release(await read_json(request, shop.limits))
        return JSONResponse(_show(await deployments.change(*_named(request), said, key)), headers=headers)

    async def remove(request: Request) -> Response:
        headers, _ = identify(request), administrator(request)
        await deployments.remove(*_named(request))
        return Response(status_code=204, headers=headers)

    return [
        Route("/deployments", list_all, methods=["GET"]),
        Route("/deployments", create, methods=["POST"]),
        Route("/deployments/{owner}/{name}", get, methods=["GET"]),
        Route("/deployments/{owner}/{name}", change, methods=["PATCH"]),
        Route("/deployments/{owner}/{name}", remove, methods=["DELETE"]),
    ]


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


def _may_see(shop: Shop, deployment: Deployment, key: Key) -> bool:
    """Whether it runs what the key may ask; an administrator sees those too that run what is served no more."""
    if key.admin:
        return True
    try:
        shop.registry.catalog.version(f"{deployment.model}:{deployment.version}", key)
    except HearthError:
        return False
    return True


def _show(deployment: Deployment) -> dict[str, Any]:
    owner, _, name = deployment.name.partition("/")
    release = objects.Release(
        deployment.number,
        deployment.model,
        deployment.version,
        deployment.created,
        deployment.hardware,
        deployment.min_instances,
        deployment.max_instances,
    )
    return objects.deployment(owner, name, release, objects.account(username(deployment.by)))
