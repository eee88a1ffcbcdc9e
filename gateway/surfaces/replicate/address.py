"""How this server is called from outside, as whoever asks sees it: what every address in an answer begins with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

ROOT: Final = "/replicate"
PREFIXES: Final = (f"{ROOT}/v1", ROOT, f"{ROOT}/v1/v1")
"""Every route is at all of them: some clients put the version into each path, others have it in their base."""

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)

Address = Callable[[Request], str]


def addressed(public_url: str | None) -> Address:
    """What gives the outside address of the API: as it was set, else as the request and its proxies say."""

    def address(request: Request) -> str:
        if public_url is not None:
            return f"{public_url.rstrip('/')}{PREFIXES[0]}"
        headers = request.headers
        scheme = _first(headers.get("x-forwarded-proto")) or request.url.scheme
        host = _first(headers.get("x-forwarded-host")) or headers.get("host", "")
        if scheme not in ("http", "https"):
            scheme = request.url.scheme
        if not _HOST.fullmatch(host):
            host = request.url.netloc
        return f"{scheme}://{host}{PREFIXES[0]}"

    return address


def everywhere(routes: Iterable[Route]) -> list[BaseRoute]:
    """Those routes, each under every prefix."""
    return [_under(prefix, route) for route in routes for prefix in PREFIXES]


def _under(prefix: str, route: Route) -> Route:
    methods: Any = route.methods
    return Route(prefix + route.path, route.endpoint, methods=methods)


def _first(header: str | None) -> str:
    """The one that the outermost proxy wrote."""
    return (header or "").partition(",")[0].strip()
