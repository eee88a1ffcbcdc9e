"""/admin/webhooks: who did not hear of a prediction's end, why, and telling them once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.log.local import Log
from gateway.predictions.base import Predictions
from gateway.predictions.record import Record
from gateway.surfaces.caller import administrator
from gateway.webhooks.errand import Webhooks
from gateway.webhooks.report import show, show_try

_SINCE_S: Final = 86_400.0
_MOST: Final = 1000


def routes(gateway: Gateway, store: Predictions, webhooks: Webhooks, now: Callable[[], float]) -> list[Route]:
    """`/admin/webhooks` and what is below it; `now` is in unix seconds."""

    async def list_failed(request: Request) -> Response:
        administrator(request)
        since = now() - _seconds(request.query_params.get("since"))
        records = await store.undelivered(None, since, _MOST)
        data = [show(record, await store.deliveries(record.id)) for record in records]
        return JSONResponse({"object": "list", "data": data})

    async def get(request: Request) -> Response:
        administrator(request)
        record = await _record(store, request)
        return JSONResponse(show(record, await store.deliveries(record.id)))

    async def replay(request: Request) -> Response:
        administrator(request)
        record = await _record(store, request)
        if record.ending is None:
            raise HearthError("invalid_request", f"{record.id} has not ended yet; its webhook is called when it has.")
        return JSONResponse(show_try(await webhooks.again(record, await _log(gateway, record))))

    return [
        Route("/admin/webhooks", list_failed, methods=["GET"]),
        Route("/admin/webhooks/{id}", get, methods=["GET"]),
        Route("/admin/webhooks/{id}/replay", replay, methods=["POST"]),
    ]


async def _record(store: Predictions, request: Request) -> Record:
    record = await store.get(request.path_params["id"])
    if record is None:
        raise HearthError("unknown_prediction")
    if record.hook is None:
        raise HearthError("invalid_request", f"{record.id} has no webhook.")
    return record


async def _log(gateway: Gateway, record: Record) -> Log | None:
    """What it gave, while that is kept."""
    try:
        return await gateway.look(record.generation, record.owner)
    except HearthError as gone:
        if gone.code not in ("expired", "unknown_generation"):
            raise
        return None


def _seconds(written: str | None) -> float:
    if written is None:
        return _SINCE_S
    if not (written.isascii() and written.isdecimal() and len(written) < 10):
        raise HearthError("invalid_request", "`since` is so many seconds ago.", parameter="since")
    return float(written)
