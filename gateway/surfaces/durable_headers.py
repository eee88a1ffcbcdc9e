"""What every answer of the Durable Streams routes says in its headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.surfaces.failures import TELL
from gateway.wire.durable import View, token

SAFE: Final = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}


def standing(view: View, next: int, closed: bool) -> dict[str, str]:
    """Where to go on, and whether there is anything to go on to."""
    headers = {"stream-next-offset": token(view.log.epoch, next)}
    if closed:
        headers["stream-closed"] = "true"
    return headers


def answer(view: View, headers: Mapping[str, str], status: int = 200, body: bytes = b"") -> Response:
    """An answer of the stream's content type."""
    return Response(body, status, {**SAFE, **view.headers, "content-type": view.content_type, **headers})


def say_on_errors(request: Request, headers: Mapping[str, str] | None = None) -> None:
    """What the answer says if it becomes an error."""
    request.scope[TELL] = {**SAFE, "cache-control": "no-store", **(headers or {})}
