"""Who asks is settled before any surface is reached."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.keys import LOCAL
from gateway.surfaces.caller import KEY


class Authentication:
    """Finds the key of every request and every socket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[KEY] = LOCAL
        await self._app(scope, receive, send)
