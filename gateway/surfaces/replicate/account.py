"""/account, /hardware and /trainings: who asks, what models run on, and that nothing is trained here."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.catalog.naming import username
from gateway.errors import HearthError
from gateway.surfaces.caller import caller
from gateway.surfaces.identity import identify
from gateway.wire.replicate import objects, pages


def routes(prices: Mapping[str, float]) -> list[Route]:
    """The routes, without a prefix; `prices` are of a second on each kind of hardware."""

    async def account(request: Request) -> Response:
        headers, key = identify(request), caller(request)
        return JSONResponse(objects.account(username(key.namespace), key.name), headers=headers)

    async def hardware(request: Request) -> Response:
        headers = identify(request)
        kinds = [{**objects.hardware(sku, sku), "price_per_second": price} for sku, price in prices.items()]
        return JSONResponse(kinds, headers=headers)

    async def trainings(request: Request) -> Response:
        headers = identify(request)
        return JSONResponse(pages.page(None, None, []), headers=headers)

    async def train(request: Request) -> Response:
        identify(request)
        raise HearthError("training_unsupported")

    async def training(request: Request) -> Response:
        identify(request)
        raise HearthError("not_found", "No such training is known here: nothing is trained.")

    return [
        Route("/account", account, methods=["GET"]),
        Route("/hardware", hardware, methods=["GET"]),
        Route("/trainings", trainings, methods=["GET"]),
        Route("/trainings/{id}", training, methods=["GET"]),
        Route("/trainings/{id}/cancel", training, methods=["POST"]),
        Route("/models/{owner}/{name}/versions/{id}/trainings", train, methods=["POST"]),
    ]
