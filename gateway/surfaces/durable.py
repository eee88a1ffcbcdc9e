"""The Durable Streams protocol on /v1/streams/{id}: its routes, and which requests are theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from gateway.core import Gateway
from gateway.remote import RemoteStreams
from gateway.surfaces.body import BodyLimits
from gateway.surfaces.durable_headers import SAFE
from gateway.surfaces.durable_reading import GENERATION, Reading
from gateway.surfaces.durable_writing import Writing

_PATH: Final = "/v1/streams/{id:path}"
_METHODS: Final = "GET, HEAD, OPTIONS, PUT, POST, DELETE"
_HEADERS: Final = (
    "content-type, if-none-match, last-event-id, producer-id, producer-epoch, producer-seq, "
    "stream-closed, stream-expires-at, stream-seq, stream-ttl"
)


def routes(
    gateway: Gateway,
    remote: RemoteStreams,
    limits: BodyLimits,
    *,
    writes: bool,
    keep_alive_s: float,
    now: Callable[[], float],
) -> list[Route]:
    """What of `/v1/streams/{id}` is this protocol's; `now` is in unix seconds. Goes before the native routes."""
    reading = Reading(gateway, remote, keep_alive_s, now)
    writing = Writing(gateway, remote, limits, writes, now)
    does = {
        "GET": reading.read,
        "HEAD": reading.read,
        "PUT": writing.create,
        "POST": writing.append,
        "DELETE": writing.delete,
        "OPTIONS": _options,
    }

    async def answer(request: Request) -> Response:
        return await does[request.method](request)

    return [_Claimed(_PATH, answer, methods=list(does))]


class _Claimed(Route):
    """Fits the requests that speak this protocol: a generation may be read natively too, and is stopped so alone."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if match is not Match.NONE and not _is_ours(child["path_params"]["id"], scope):
            return Match.NONE, {}
        return match, child


def _is_ours(name: str, scope: Scope) -> bool:
    if not name.startswith(GENERATION):
        return name != ""
    if scope["method"] == "GET":
        asked = Request(scope).query_params
        return "offset" in asked or "live" in asked
    return bool(scope["method"] != "DELETE")


async def _options(request: Request) -> Response:
    # No `access-control-allow-origin`: pages of other sites stay out, as everywhere here.
    allowed = {"allow": _METHODS, "access-control-allow-methods": _METHODS, "access-control-allow-headers": _HEADERS}
    return Response(status_code=204, headers={**SAFE, **allowed})
