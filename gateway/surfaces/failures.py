"""Errors as answers, in the shape that OpenAI's clients read."""

from __future__ import annotations

import logging
import math
from typing import Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from gateway.errors import HearthError
from gateway.surfaces.presence import ClientLeft
from gateway.wire.failure import body
from gateway.wire.replicate import problem

TELL: Final = "hearth.headers"
"""In a request's scope: headers that its answer carries whatever becomes of it."""

_REPLICATE: Final = "/replicate/"
"""Where Replicate's clients ask, which read errors in a shape of their own."""

_log = logging.getLogger(__name__)


def answer(error: HearthError, scope: Scope | None = None) -> Response:
    """The error as a whole response. `x-should-retry` is what the OpenAI clients go by."""
    headers = {"x-should-retry": "true" if error.row.may_retry else "false", **(scope or {}).get(TELL, {})}
    headers |= error.headers
    again_s = 1.0 if error.retry_after_s is None and error.row.status == 503 else error.retry_after_s
    if again_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(again_s)))
        headers["retry-after-ms"] = str(max(1, math.ceil(again_s * 1000)))
    if error.row.status in (408, 413) or error.code == "draining":
        # What is left of the body is not going to be read; or nobody is going to, and a proxy that kept the connection
        # might send its next request into the end of it.
        headers["connection"] = "close"
    if (scope or {}).get("path", "").startswith(_REPLICATE):
        return Response(orjson.dumps(problem.body(error)), error.row.status, headers, "application/problem+json")
    return Response(orjson.dumps(body(error)), error.row.status, headers, "application/json")


async def refuse(error: HearthError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request or a socket that is not let in."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(answer(error))
    else:
        await answer(error, scope)(scope, receive, send)


async def told(request: Request, error: Exception) -> Response:
    """For Starlette: the answer to a HearthError."""
    assert isinstance(error, HearthError)
    return answer(error, request.scope)


async def routed(request: Request, error: Exception) -> Response:
    """For Starlette: the answer where no route fits."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    response = answer(HearthError(code), request.scope)
    response.headers.update(error.headers or {})
    return response


async def left(request: Request, error: Exception) -> Response:
    """For Starlette: nobody is there any more; the status is for the log alone."""
    return Response(status_code=499)


async def broken(request: Request, error: Exception) -> Response:
    """For Starlette: a fault of ours. Its details stay in the log."""
    _log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    return answer(HearthError("internal_error"), request.scope)


HANDLERS = {HearthError: told, HTTPException: routed, ClientLeft: left, Exception: broken}
