"""Errors as answers, in the shape that OpenAI's clients read."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import HearthError
from gateway.surfaces.presence import ClientLeft

_log = logging.getLogger(__name__)


def body(error: HearthError) -> dict[str, Any]:
    """`{"error": {...}}` with OpenAI's fields, whether a retry may help, and the facts a machine can use."""
    return {
        "error": {
            "message": error.message,
            "type": error.row.type,
            "code": error.code,
            "param": error.parameter,
            "retry": error.row.may_retry,
            **error.details,
        }
    }


def answer(error: HearthError) -> Response:
    """The error as a whole response. `x-should-retry` is what the OpenAI clients go by."""
    headers = {"x-should-retry": "true" if error.row.may_retry else "false"}
    if error.row.status == 503:
        headers["retry-after"] = "1"
    if error.row.status in (408, 413):
        # What is left of the body is not going to be read.
        headers["connection"] = "close"
    return Response(orjson.dumps(body(error)), error.row.status, headers, "application/json")


async def told(request: Request, error: Exception) -> Response:
    """For Starlette: the answer to a HearthError."""
    assert isinstance(error, HearthError)
    return answer(error)


async def routed(request: Request, error: Exception) -> Response:
    """For Starlette: the answer where no route fits."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    return answer(HearthError(code))


async def left(request: Request, error: Exception) -> Response:
    """For Starlette: nobody is there any more; the status is for the log alone."""
    return Response(status_code=499)


async def broken(request: Request, error: Exception) -> Response:
    """For Starlette: a fault of ours. Its details stay in the log."""
    _log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    return answer(HearthError("internal_error"))


HANDLERS = {HearthError: told, HTTPException: routed, ClientLeft: left, Exception: broken}
