"""/v1/ws: one socket, many generations."""

from __future__ import annotations

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.surfaces.conversation import Conversation
from gateway.surfaces.failures import answer
from gateway.surfaces.origin import foreign


def routes(gateway: Gateway, abandon_after_s: float) -> list[WebSocketRoute]:
    """`/v1/ws`."""

    async def ws(websocket: WebSocket) -> None:
        if foreign(websocket):
            await websocket.send_denial_response(answer(HearthError("foreign_origin")))
            return
        await websocket.accept()
        await Conversation(gateway, websocket, abandon_after_s).run()

    return [WebSocketRoute("/v1/ws", ws)]
