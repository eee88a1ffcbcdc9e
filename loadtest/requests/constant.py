"""A bare Starlette app that answers every chat with the same bytes: what a framework costs that does nothing."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loadtest.upstream import PLAIN

_BODY = PLAIN.partition(b"\r\n\r\n")[2]


async def _chat(request: Request) -> Response:
    await request.body()
    return Response(_BODY, media_type="application/json")


async def _health(request: Request) -> Response:
    return Response()


app = Starlette(routes=[Route("/v1/chat/completions", _chat, methods=["POST"]), Route("/health", _health)])
