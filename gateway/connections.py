"""uvicorn's two protocols, with what a server of long streams needs beside them.

Headers have a deadline (uvicorn waits on a silent connection for ever), the kernel notices a peer that vanished, one
connection cannot keep the loop or fill the memory, and the application can drop it at once, unsent bytes and all.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from gateway.channel import CHANNEL
from gateway.errors import HearthError
from gateway.wire.failure import body

ABORT: Final = "hearth.abort"
"""In a request's scope: close its connection at once."""

_LAST_WORDS_S: Final = 1.0
_PEER_GONE_S: Final = 90
_HEAD_BYTES: Final = 64 << 10
_SLICE_BYTES: Final = 8 << 10
"""How much of a WebSocket's bytes is parsed before it is seen whether they make sense."""
_MOST_FRAGMENTS: Final = 1024
_MOST_PINGS: Final = 256
"""In what one read gives."""
_UNSENT_BYTES: Final = 256 << 10


def http(header_deadline_s: float) -> type[asyncio.Protocol]:
    """The HTTP protocol, as uvicorn wants it: something that makes one for each connection."""
    return cast("type[asyncio.Protocol]", partial(Http, header_deadline_s=header_deadline_s))


class Http(HttpToolsProtocol):
    """HTTP/1.1, with `ABORT` and a Channel in each scope, and a deadline on headers."""

    # Beside uvicorn's own attributes: Python keeps small what all objects of a class have in the same order.
    __slots__ = ("_asked", "_deaf", "_head_bytes", "_header_deadline_s", "_timer", "gone", "on_change")

    def __init__(self, *args: Any, header_deadline_s: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_deadline_s = header_deadline_s
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._asked = False
        """Whether anything of a request has come yet."""
        self._deaf = False
        """Whether what comes is thrown away: the client asked for more before it had its answer."""
        self.on_change: Callable[[], None] | None = None
        self.gone = False

    @property
    def full(self) -> bool:
        return self.flow.write_paused

    def write(self, body: bytes) -> None:
        self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _notice_absence(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)
        self.gone = True
        if self.on_change is not None:
            self.on_change()
        if self.scope is not None:
            # It would hold on to this connection, which holds on to it.
            cast("dict[str, Any]", self.scope).pop(CHANNEL, None)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.on_change is not None:
            self.on_change()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        super().data_received(data)
        if self._timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
                self._refuse(HearthError("headers_too_large"))

    # A request behind one that runs would make uvicorn stop reading, and then nobody sees the client leave. Clients
    # that pipeline ask again when the connection is closed (RFC 9112, section 9.3.2).

    def on_message_begin(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._deaf = True
            self.cycle.keep_alive = False
            return
        super().on_message_begin()
        self._asked = True
        scope = cast("dict[str, Any]", self.scope)
        scope[ABORT], scope[CHANNEL] = self.transport.abort, self
        # Between two requests on one connection the wait is uvicorn's; from a request's first byte on it is ours.
        if self._timer is None:
            self._arm()

    def on_url(self, url: bytes) -> None:
        if not self._deaf:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._deaf:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._deaf:
            self._disarm()
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._deaf:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._deaf:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP in the shape that every other refusal has."""
        if self.cycle is not None and not self.cycle.response_complete:
            # It came behind a request whose answer is under way, and nothing may be said in the middle of that.
            self._deaf, self.cycle.keep_alive = True, False
            return
        self._refuse(HearthError("invalid_request", "This is no valid HTTP/1.1 request."))

    def _arm(self) -> None:
        self._timer = self.loop.call_later(self._header_deadline_s, self._too_slow)

    def _disarm(self) -> None:
        self._head_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if not self._asked:
            # Nothing was asked, so there is nothing to answer: browsers open connections ahead of their needs.
            self.transport.close()
        else:
            self._refuse(HearthError("request_timeout", "The request's headers did not arrive in time."))

    def _refuse(self, error: HearthError) -> None:
        # Too early for the application: this is no request yet.
        self._disarm()
        content = orjson.dumps(body(error))
        reason = HTTPStatus(error.row.status).phrase.encode()
        head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (error.row.status, reason, len(content)) + content)
        self.transport.close()


class WebSockets(WebSocketsSansIOProtocol):
    """WebSocket, with `ABORT` in each scope and bounds on what a peer may send without saying anything."""

    _pings = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # At its finest level the library logs every header and every frame: keys, tickets, prompts.
        self.conn.debug = False
        self._application, self.app = self.app, self._run

    def data_received(self, data: bytes) -> None:
        self._pings = 0
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _SLICE_BYTES])

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < _MOST_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._give_up(1009, "too many fragments")

    def handle_ping(self) -> None:
        self._pings += 1
        if self._pings > _MOST_PINGS:
            self._give_up(1008, "too many pings")
        elif self.transport.get_write_buffer_size() > _UNSENT_BYTES:
            self.transport.abort()
        else:
            super().handle_ping()

    def _give_up(self, code: int, why: str) -> None:
        if not self.transport.is_closing():
            self.conn.fail(code, why)
            self.handle_parser_exception()
            self.transport.close()

    async def run_asgi(self) -> None:
        cast("dict[str, Any]", self.scope)[ABORT] = self.transport.abort
        await super().run_asgi()

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        await self._application(scope, receive, send)
        # A refusal by a status of its own is an answer too: uvicorn would log an error for each.
        self.handshake_complete |= self.close_sent

    def keepalive_timeout(self) -> None:
        """Close a connection whose peer answers no ping: it will hardly take the rest of what was written either."""
        super().keepalive_timeout()
        self.loop.call_later(_LAST_WORDS_S, self.transport.abort)


def _notice_absence(transport: asyncio.BaseTransport) -> None:
    """Have the kernel end the connection of a peer that vanished without a word."""
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is None or peer.family == socket.AF_UNIX:
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PEER_GONE_S // 3)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PEER_GONE_S // 6)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _PEER_GONE_S * 1000)
