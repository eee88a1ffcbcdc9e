"""/v1/ws: one socket, many generations."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.surfaces.conversation import Conversation
from gateway.surfaces.failures import answer

_DEFAULT_PORTS = {"http": 80, "https": 443}


def routes(gateway: Gateway, abandon_after_s: float) -> list[WebSocketRoute]:
    """`/v1/ws`."""

    async def ws(websocket: WebSocket) -> None:
        if _foreign(websocket):
            await websocket.send_denial_response(answer(HearthError("foreign_origin")))
            return
        await websocket.accept()
        await Conversation(gateway, websocket, abandon_after_s).run()

    return [WebSocketRoute("/v1/ws", ws)]


def _foreign(websocket: WebSocket) -> bool:
    """Whether a page of another site asks: a browser lets it, and says only whose page it is."""
    origin = websocket.headers.get("origin")
    if origin is None:
        return False
    try:
        page = urlsplit(origin)
        asked = urlsplit(f"//{websocket.headers.get('host', '')}")
        default = _DEFAULT_PORTS.get(page.scheme)
        return (page.hostname, page.port or default) != (asked.hostname, asked.port or default)
    except ValueError:
        return True
