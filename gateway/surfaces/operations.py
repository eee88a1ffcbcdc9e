"""For the people who run it: health, readiness, metrics."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from engines.base import State
from engines.samples import labelled
from engines.seat import Seat
from gateway import exposition
from gateway.core import Gateway
from gateway.metrics import Metrics

_WELL: Final = (State.WARM, State.COLD, State.DRAINING)
"""A cold model is no fault: it boots with its first request, which waits for it."""


def routes(gateway: Gateway, metrics: Metrics) -> list[Route]:
    """`/healthz`, `/readyz`, `/metrics`."""

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        models = {
            name: {"state": model.state, "stage": model.stage, "boot_seconds": model.boot_seconds}
            for name, model in gateway.pool.models.items()
        }
        up = all(model.state in _WELL for model in gateway.pool.models.values())
        ready = up and not gateway.closing
        trouble = gateway.trouble
        body = {
            "ready": ready,
            "draining": gateway.closing,
            # Served all the same: from memory, and only to readers of this replica.
            "degraded": [] if trouble is None else [trouble],
            "models": models,
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    async def expose(request: Request) -> Response:
        engines = await asyncio.gather(*map(_told, gateway.pool.seats.values()))
        gateway.count()
        text = metrics.render() + exposition.merge(engines, "vllm:").encode()
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", expose)]


async def _told(seat: Seat) -> str:
    """An engine's own metrics. No sample may stand twice in a text: several engines of one model are told apart."""
    text = await seat.engine.metrics()
    return text if seat.alone else labelled(text, "place", seat.id)
