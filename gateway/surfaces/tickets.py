"""POST /v1/tickets: for a browser's EventSource and WebSocket, which can send no key."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import tickets
from gateway.errors import HearthError
from gateway.keyring.lookup import Lookup
from gateway.surfaces.body import BodyLimits, read_body
from gateway.surfaces.caller import caller
from gateway.tickets import Ticket
from gateway.wire.check import text


def routes(lookup: Lookup, limits: BodyLimits, now: Callable[[], float], ticket_s: float) -> list[Route]:
    """`/v1/tickets`; `now` is in unix seconds, and a ticket is good for `ticket_s`."""

    async def issue(request: Request) -> Response:
        only = _only(await read_body(request, limits))
        ticket = Ticket(caller(request).id, now() + ticket_s, only)
        told = {"ticket": tickets.issue(ticket, await lookup.seal()), "expires_in": ticket_s}
        return JSONResponse(told, headers={"cache-control": "no-store"})

    return [Route("/v1/tickets", issue, methods=["POST"])]


def _only(body: bytes) -> str | None:
    """The one generation that it shall be for; an empty body asks for all."""
    try:
        said = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise HearthError("bad_json", f"The body is not valid JSON in UTF-8: {error}.") from None
    if not isinstance(said, dict) or said.keys() - {"generation"}:
        raise HearthError("invalid_request", "The body must be a JSON object that says `generation`, or nothing.")
    return None if said.get("generation") is None else text("generation", said["generation"])
