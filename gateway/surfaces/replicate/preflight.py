"""Addresses that are a key themselves: pages of any site may read what is there, and ask a browser's way."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ANYWHERE: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "accept-ranges, content-disposition, content-range, etag",
}
"""Headers of each answer at such an address."""
_ALLOWED: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "Last-Event-ID, Range",
    "access-control-max-age": "600",
}


def preflight(path: str) -> Route:
    """Where a browser asks beforehand whether a page may send these headers; it is told the same of every address."""
    return Route(path, _allow, methods=["OPTIONS"])


async def _allow(request: Request) -> Response:
    return Response(status_code=204, headers=_ALLOWED)
