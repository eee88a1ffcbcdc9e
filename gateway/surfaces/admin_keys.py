"""/admin/keys: who may ask, for those who may say so."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.errors import HearthError
from gateway.keyring import secret
from gateway.keyring.base import Keyring
from gateway.keyring.issue import issue
from gateway.surfaces.body import BodyLimits, read_json
from gateway.surfaces.caller import administrator
from gateway.wire import keys


def routes(keyring: Keyring, limits: BodyLimits, now: Callable[[], float]) -> list[Route]:
    """`/admin/keys` and `/admin/keys/{id}`; `now` is in unix seconds."""

    async def create(request: Request) -> Response:
        administrator(request)
        asked = keys.parse(await read_json(request, limits), secret.fresh_id(), now())
        issued = await issue(keyring, asked)
        headers = {"location": f"/admin/keys/{issued.key.id}", "cache-control": "no-store"}
        return JSONResponse({**keys.show(issued.key, now()), "secret": issued.secret}, 201, headers)

    async def list_all(request: Request) -> Response:
        administrator(request)
        return JSONResponse({"object": "list", "data": [keys.show(key, now()) for key in await keyring.all()]})

    async def get(request: Request) -> Response:
        administrator(request)
        key = await keyring.get(request.path_params["id"])
        if key is None:
            raise HearthError("unknown_key")
        return JSONResponse(keys.show(key, now()))

    async def revoke(request: Request) -> Response:
        administrator(request)
        key = await keyring.revoke(request.path_params["id"], now())
        if key is None:
            raise HearthError("unknown_key")
        return JSONResponse(keys.show(key, now()))

    return [
        Route("/admin/keys", create, methods=["POST"]),
        Route("/admin/keys", list_all, methods=["GET"]),
        Route("/admin/keys/{id}", get, methods=["GET"]),
        Route("/admin/keys/{id}", revoke, methods=["DELETE"]),
    ]
