"""Streams that are stopped before their end, each in the way of its kind. What they say is thrown away unread."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, ClassVar, Final, cast

from loadtest.address import Address
from loadtest.exchange import Exchange, HttpAnswer, post

_ID: Final = re.compile(rb"gen_[0-9a-f]{32}")
_REFUSED: Final = re.compile(rb"HTTP/1.1 [45]\d\d|\"t\":\"error\"|data: \{\"error\"")


class Stream(asyncio.Protocol):
    """One generation and its reader. It has its `id` once it speaks; `acted` is when it was stopped."""

    way: ClassVar[str]
    """How it is stopped, in a word."""
    first: ClassVar[re.Pattern[bytes]]
    """What its first token looks like."""
    last: ClassVar[bytes]
    """What its end looks like."""

    def __init__(self) -> None:
        self.id = ""
        self.acted: float | None = None
        self.over = asyncio.Event()
        """Set when it was stopped, or has ended by itself, or its connection was lost."""
        self.told = asyncio.Event()
        """Set when the server said that it ended."""
        self._speaks: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._head = b""

    async def begin(self, address: Address, asked: Mapping[str, Any]) -> None:
        """Have it begun, and wait for its first token. Raises OSError; ConnectionError when it is refused."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, *address)
        self._write(self.question(address, asked))
        await self._speaks

    def question(self, address: Address, asked: Mapping[str, Any]) -> bytes:
        """The bytes that begin it."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Stop it; `acted` is when that was said. Raises OSError."""
        self.acted = perf_counter()
        self.over.set()
        await self._stop()

    async def _stop(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what is left of it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._speaks.done():
            self._listen(data)
        elif self.last in data:
            self.over.set()
            self.told.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._speaks.done():
            self._speaks.set_exception(ConnectionResetError(f"no token came: {self._head[-300:]!r}"))
        self.over.set()

    def _listen(self, data: bytes) -> None:
        self._head += data
        if told := _ID.search(self._head):
            self.id = told[0].decode()
        if self.id and self.first.search(self._head):
            self._head = b""
            self._speaks.set_result(None)
        elif _REFUSED.search(self._head):
            self._speaks.set_exception(ConnectionResetError(f"refused: {self._head[-300:]!r}"))

    def _write(self, data: bytes) -> None:
        if self._transport is None:
            raise ConnectionResetError("the connection is closed")
        self._transport.write(data)


class Closed(Stream):
    """A chat whose client goes away."""

    way = "close"
    first = re.compile(rb'"content":"(?!")')
    last = b"data: [DONE]"

    def question(self, address: Address, asked: Mapping[str, Any]) -> bytes:
        return post(address, "/v1/chat/completions", json.dumps({**asked, "stream": True}).encode())

    async def _stop(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Deleted(Stream):
    """A chat with an address of its own, which another connection deletes."""

    way, first, last = "DELETE", Closed.first, Closed.last

    def __init__(self) -> None:
        super().__init__()
        self._other: Exchange | None = None

    async def begin(self, address: Address, asked: Mapping[str, Any]) -> None:
        self._other = await Exchange.open(address)
        await super().begin(address, asked)

    def question(self, address: Address, asked: Mapping[str, Any]) -> bytes:
        body = json.dumps({**asked, "stream": True}).encode()
        return post(address, "/v1/chat/completions", body, "x-resumable: 1\r\n")

    async def _stop(self) -> None:
        assert self._other is not None
        answer = HttpAnswer()
        await self._other.ask(f"DELETE /v1/streams/{self.id} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode(), answer)
        if answer.status != 200:
            raise ConnectionRefusedError(f"DELETE answered {answer.status}")

    def close(self) -> None:
        super().close()
        if self._other is not None:
            self._other.close()


class Canceled(Stream):
    """A lane of a WebSocket, whose client says `cancel`."""

    way = "WebSocket"
    first = re.compile(rb'"t":"delta"[^}]*"d":"(?!")')
    last = b'"t":"end"'

    def question(self, address: Address, asked: Mapping[str, Any]) -> bytes:
        head = (
            f"GET /v1/ws HTTP/1.1\r\nhost: {address.host}:{address.port}\r\nconnection: upgrade\r\n"
            "upgrade: websocket\r\nsec-websocket-version: 13\r\n"
            f"sec-websocket-key: {base64.b64encode(secrets.token_bytes(16)).decode()}\r\n\r\n"
        )
        self._create = frame({"t": "create", "id": "a", "request": dict(asked)})
        return head.encode()

    def data_received(self, data: bytes) -> None:
        if self._create and data.startswith(b"HTTP/1.1 101"):
            self._write(self._create)
            self._create = b""
        super().data_received(data)

    async def _stop(self) -> None:
        self._write(frame({"t": "cancel", "id": "a"}))
        await self.told.wait()


WAYS: Final[Sequence[type[Stream]]] = (Closed, Deleted, Canceled)


def frame(said: Mapping[str, Any]) -> bytes:
    """A text frame of a WebSocket's client (RFC 6455, 5.2). Its mask is zero, which changes nothing."""
    data = json.dumps(said).encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data
