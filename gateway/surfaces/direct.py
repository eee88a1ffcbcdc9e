"""A route whose response may last for hours, without what Starlette keeps for it around a function.

That is two more frames of coroutines, a request and its closures, and with many idle readers they are most of what a
reader takes. Errors are told as ever: by the application's own handlers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Direct:
    """Answers a request with what the function makes of it."""

    def __init__(self, respond: Callable[[Request], Awaitable[Response]]) -> None:
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)
