"""An SSE response: sse-starlette's headers and promises, around a way into the connection that costs little a token.

Where the server has a Channel, each frame is written by whoever gives turns to readers, and no task is woken for it.
Under another server it is the library's own response.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

from gateway.channel import CHANNEL, Channel
from gateway.surfaces.following import Following
from gateway.surfaces.pushing import Push

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


class EventStream(EventSourceResponse):
    """Says what there is to follow, to its end or until the client leaves. `opened` lasts as long as the response."""

    def __init__(
        self,
        opened: Callable[[Scope], AbstractContextManager[Following]],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(iter(()), headers={**HEADERS, **(headers or {})}, sep="\n", ping=0)
        # The library adds `connection: keep-alive`, which HTTP/2 forbids, and a charset, which strict clients refuse.
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] not in (b"connection", b"content-type")]
        self.raw_headers.append((b"content-type", b"text/event-stream"))
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._opened(scope) as following:
            channel: Channel | None = scope.get(CHANNEL)
            if channel is None:
                self.body_iterator = following.frames()
                await super().__call__(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD" and not await Push(following, channel).run():
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
