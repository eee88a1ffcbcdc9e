"""OpenAI's route for embeddings."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.core import Gateway
from gateway.embedding import Embedding
from gateway.errors import HearthError
from gateway.surfaces.body import BodyLimits, read_json
from gateway.surfaces.call_headers import patience
from gateway.surfaces.caller import caller
from gateway.surfaces.identity import identify
from gateway.surfaces.presence import present
from gateway.wire.embeddings import parse, pieces


def routes(gateway: Gateway, embedding: Embedding, limits: BodyLimits) -> list[Route]:
    """`/v1/embeddings`."""
    return [Route("/v1/embeddings", Vectors(gateway, embedding, limits), methods=["POST"])]


class Vectors:
    """The route. It speaks ASGI itself, so that it notices when its caller leaves."""

    def __init__(self, gateway: Gateway, embedding: Embedding, limits: BodyLimits) -> None:
        self._gateway = gateway
        self._embedding = embedding
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers, key = identify(request), caller(request)
        asked = parse(await read_json(request, self._limits))
        model = self._gateway.model(asked.model, key)
        if self._gateway.closing:
            raise HearthError("draining")
        wants = patience(request)
        async with present(receive):
            made = await self._embedding.embed(model, asked.prompt, key, wants.wait_s)
            body = bytearray()
            for piece in pieces(asked, made.embeddings):
                body += piece
                # Thousands of vectors take a while to spell: the streams go on in between.
                await asyncio.sleep(0)
        headers |= {**made.headers, **wants.applied}
        await Response(bytes(body), headers=headers, media_type="application/json")(scope, receive, send)
