"""/v1/ws: one socket, many generations."""

from __future__ import annotations

from typing import Final

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.surfaces.conversation import Conversation
from gateway.surfaces.failures import answer
from gateway.surfaces.origin import foreign

PROTOCOL: Final = "hearth.v1"
"""What a client may say that it speaks. One that sends its key as another protocol has to."""


def routes(gateway: Gateway, abandon_after_s: float) -> list[WebSocketRoute]:
    """`/v1/ws`."""

    async def ws(websocket: WebSocket) -> None:
        if foreign(websocket):
            await websocket.send_denial_response(answer(HearthError("foreign_origin")))
            return
        await websocket.accept(PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None)
        await Conversation(gateway, websocket, abandon_after_s).run()

    return [WebSocketRoute("/v1/ws", ws)]
