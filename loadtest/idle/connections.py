"""Connections on which nothing happens: they are held open, and answer the pings of a server that asks."""

from __future__ import annotations

import json
import select
import socket
from time import monotonic
from types import TracebackType
from typing import Final

from loadtest.address import Address
from loadtest.idle.plan import SILENT, SSE, WEBSOCKET
from loadtest.servers import ServerError
from loadtest.sockets import dropped

_AT_ONCE: Final = 50
_CONNECT_S: Final = 10.0
_OPEN_S: Final = 60.0
_TURN_S: Final = 0.05
_READ_BYTES: Final = 16 << 10
_END_OF_HEAD: Final = b"\r\n\r\n"
_PING: Final = 0x89
_PONG: Final = 0x8A
_TEXT: Final = 0x81
_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="


class Connections:
    """All of one kind, to one generation; leaving the block drops them."""

    def __init__(self, address: Address, kind: str, path: str) -> None:
        self._address = address
        self._kind = kind
        self._request = request(address, kind, path)
        self._attach = attach(path)
        self._epoll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._unanswered: dict[int, bytes] = {}

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()
        self._epoll.close()

    def grow(self, count: int) -> None:
        """Open more, some at a time, until there are so many and all are answered. Raises ServerError, OSError."""
        until = monotonic() + _OPEN_S
        while len(self._open) < count:
            for _ in range(min(_AT_ONCE, count - len(self._open))):
                self._connect()
            while self._unanswered:
                if monotonic() > until:
                    raise ServerError(f"{len(self._open)} of {count} connections were opened in {_OPEN_S:g} s")
                self._turn(_TURN_S)

    def rest(self, seconds: float) -> None:
        """Let time pass."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self._turn(left)

    def leave(self) -> None:
        """Drop all of them."""
        for connection in self._open.values():
            dropped(connection)
        self._open.clear()

    def _connect(self) -> None:
        connection = socket.create_connection(self._address, timeout=_CONNECT_S)
        descriptor = connection.fileno()
        self._open[descriptor] = connection
        if self._request:
            connection.sendall(self._request)
            self._unanswered[descriptor] = b""
        connection.setblocking(False)
        self._epoll.register(descriptor, select.EPOLLIN)

    def _turn(self, seconds: float) -> None:
        for descriptor, _ in self._epoll.poll(seconds):
            connection = self._open[descriptor]
            try:
                data = connection.recv(_READ_BYTES)
            except ConnectionError:
                data = b""
            if not data:
                raise ServerError(
                    f"the server ended a connection after {self._unanswered.get(descriptor, b'')[:300]!r}"
                )
            if descriptor in self._unanswered:
                self._answer(descriptor, data)
            elif self._kind == WEBSOCKET and data[0] == _PING:
                connection.send(frame(_PONG, data[2 : 2 + data[1]]))

    def _answer(self, descriptor: int, data: bytes) -> None:
        self._unanswered[descriptor] += data
        if answered(self._kind, self._unanswered[descriptor]):
            del self._unanswered[descriptor]
        elif self._kind == WEBSOCKET and self._unanswered[descriptor].endswith(_END_OF_HEAD):
            self._open[descriptor].send(self._attach)


def request(address: Address, kind: str, path: str) -> bytes:
    """What a connection of that kind says first; nothing where it is to be silent."""
    host = f"host: {address.host}:{address.port}\r\n"
    if kind == SILENT:
        return b""
    if kind == SSE:
        return f"GET {path} HTTP/1.1\r\n{host}accept: text/event-stream\r\n\r\n".encode()
    upgrade = f"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: {_KEY}\r\n"
    return f"GET /v1/ws HTTP/1.1\r\n{host}{upgrade}\r\n".encode()


def attach(path: str) -> bytes:
    """What a WebSocket says to become a reader."""
    return frame(_TEXT, json.dumps({"t": "attach", "id": "a", "generation": path.rpartition("/")[2]}).encode())


def answered(kind: str, data: bytes) -> bool:
    """Whether this is a head with something behind it: the first event, or the first frame."""
    head, _, behind = data.partition(_END_OF_HEAD)
    return head.startswith(b"HTTP/1.1 101" if kind == WEBSOCKET else b"HTTP/1.1 200") and bool(behind)


def frame(kind: int, payload: bytes) -> bytes:
    """A WebSocket frame of a client's, masked with zeros; of less than 126 bytes."""
    return bytes((kind, 0x80 | len(payload), 0, 0, 0, 0)) + payload
