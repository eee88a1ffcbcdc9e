"""Reading a request's body, bounded in size and in time."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import orjson
from starlette.requests import ClientDisconnect, Request

from gateway.errors import HearthError
from gateway.surfaces.origin import foreign
from gateway.surfaces.presence import ClientLeft


class BodyLimits(NamedTuple):
    """How large a body may be, and how long it may take to arrive."""

    max_bytes: int
    deadline_s: float


async def read_body(request: Request, limits: BodyLimits) -> bytes:
    """The body as it came. Raises HearthError `body_too_large`, `request_timeout`, `foreign_origin`; ClientLeft."""
    if foreign(request):
        raise HearthError("foreign_origin")
    body = bytearray()
    try:
        async with asyncio.timeout(limits.deadline_s):
            async for piece in request.stream():
                body += piece
                if len(body) > limits.max_bytes:
                    raise HearthError("body_too_large", f"At most {limits.max_bytes} bytes are taken.")
    except TimeoutError:
        raise HearthError("request_timeout") from None
    except ClientDisconnect:
        raise ClientLeft from None
    return bytes(body)


async def read_json(request: Request, limits: BodyLimits) -> dict[str, Any]:
    """The body as a JSON object. Raises as `read_body`, and HearthError `bad_json`, `invalid_request` (no object)."""
    try:
        value = orjson.loads(await read_body(request, limits))
    except orjson.JSONDecodeError as error:
        raise HearthError("bad_json", f"The body is not valid JSON in UTF-8: {error}.") from None
    if not isinstance(value, dict):
        raise HearthError("invalid_request", "The body must be a JSON object.")
    return value
