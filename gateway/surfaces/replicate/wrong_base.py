"""Where Replicate's clients ask that were given this server's address, and not that of its Replicate API."""

from __future__ import annotations

from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import HearthError
from gateway.surfaces.identity import identify
from gateway.surfaces.replicate.address import Address
from gateway.wire.replicate import problem

_PREFIXES: Final = ("", "/v1")


def routes(address: Address) -> list[Route]:
    """What nobody else asks for; everything else of theirs is an address of OpenAI's too."""

    async def tell(request: Request) -> Response:
        headers = identify(request)
        base = address(request).removesuffix("/v1")
        error = HearthError("not_found", f"Replicate's API is not here: set REPLICATE_BASE_URL={base}")
        return Response(orjson.dumps(problem.body(error)), error.row.status, headers, "application/problem+json")

    return [
        route
        for prefix in _PREFIXES
        for route in (
            Route(f"{prefix}/predictions", tell, methods=["GET", "POST"]),
            Route(f"{prefix}/models/{{owner}}/{{name}}/predictions", tell, methods=["POST"]),
            Route(f"{prefix}/deployments/{{owner}}/{{name}}/predictions", tell, methods=["POST"]),
        )
    ]
