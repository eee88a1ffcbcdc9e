"""An SSE response: sse-starlette's promises, on a way into the connection that costs little a token.

Where the server has a Channel, each frame is written by whoever gives turns to readers, and no task is woken for it.
Under another server it is the library's own response.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

from sse_starlette import EventSourceResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.channel import CHANNEL, Channel
from gateway.surfaces.following import Following
from gateway.surfaces.pushing import Push

HEADERS: Final = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


class EventStream(Response):
    """Says what there is to follow, to its end or until the client leaves. `opened` lasts as long as the response."""

    def __init__(
        self,
        opened: Callable[[Scope], AbstractContextManager[Following]],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({**HEADERS, **(headers or {})})
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._opened(scope) as following:
            channel: Channel | None = scope.get(CHANNEL)
            if channel is None:
                await self._by_the_library(following)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            last = b"" if scope["method"] == "HEAD" else await Push(following, channel).run()
            if last is not None:
                await send({"type": "http.response.body", "body": last, "more_body": False})

    def _by_the_library(self, following: Following) -> EventSourceResponse:
        response = EventSourceResponse(following.frames(), sep="\n", ping=0)
        # The library adds `connection: keep-alive`, which HTTP/2 forbids, and a charset, which strict clients refuse.
        response.raw_headers = self.raw_headers
        return response
