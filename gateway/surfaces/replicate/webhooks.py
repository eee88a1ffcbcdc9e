"""The secret that the webhooks of a key are signed with, for whoever has that key."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.keyring.lookup import Lookup
from gateway.surfaces.caller import caller
from gateway.webhooks import signing


def routes(lookup: Lookup) -> list[Route]:
    """`/webhooks/default/secret`."""

    async def secret(request: Request) -> Response:
        key = signing.secret(await lookup.seal(), caller(request).id)
        return JSONResponse({"key": key}, headers={"cache-control": "no-store"})

    return [Route("/webhooks/default/secret", secret, methods=["GET"])]
