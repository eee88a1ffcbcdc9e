"""A connection on which one question follows the other, each answer timed."""

from __future__ import annotations

import asyncio
import re
from time import perf_counter
from typing import Final, Protocol, cast

from loadtest.address import Address

_TEXT: Final = re.compile(rb'"content": ?"(?!")')
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)")
_OUTCOME: Final = re.compile(rb"\r\nx-cache: (\w+)")
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"


class Answer(Protocol):
    """What is fed the bytes of one answer."""

    def feed(self, data: bytes, now: float) -> bool:
        """Take what arrived `now` seconds after the question was due; whether the answer is whole."""


class HttpAnswer:
    """An answer of HTTP/1.1, looked at as little as can be. The times are in seconds since the question was due."""

    def __init__(self) -> None:
        self.status = 0
        self.outcome = ""
        """What `x-cache` says."""
        self.first: float | None = None
        """When its first byte came."""
        self.text: float | None = None
        """When its first text came."""
        self.size = 0
        """Bytes of its body, as they were sent."""
        self.tail = b""
        self._head = b""
        self._length: int | None = None

    def feed(self, data: bytes, now: float) -> bool:
        if self.first is None:
            self.first = now
        if not self.status:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return False
            self._begin(head.lower())
        self.size += len(data)
        if self.text is None and _TEXT.search(data):
            self.text = now
        if self._length is not None:
            return self.size >= self._length
        # No line break as HTTP writes it stands in an event: these bytes end the answer, and nothing else.
        self.tail = (self.tail + data)[-len(_LAST_CHUNK) :]
        return self.tail == _LAST_CHUNK

    def _begin(self, head: bytes) -> None:
        self.status = int(head[9:12])
        self.outcome = found[1].decode().upper() if (found := _OUTCOME.search(head)) else ""
        self._length = int(found[1]) if (found := _LENGTH.search(head)) else None


class Exchange(asyncio.Protocol):
    """One connection, one question at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._due = 0.0
        self._done: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, address: Address) -> Exchange:
        """Connect. Raises OSError."""
        _, exchange = await asyncio.get_running_loop().create_connection(cls, *address)
        return exchange

    async def ask(self, question: bytes, answer: Answer, due: float | None = None) -> None:
        """Send a question and have its answer fed. Raises ConnectionError when it is cut off."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._answer, self._due = answer, perf_counter() if due is None else due
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(question)
        await self._done

    def close(self) -> None:
        """Drop the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        done = self._done
        if self._answer is None or done is None or done.done():
            return
        if self._answer.feed(data, perf_counter() - self._due):
            done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionResetError("the connection was cut off"))


def post(address: Address, path: str, body: bytes, headers: str = "") -> bytes:
    """The bytes of a request with a JSON body; `headers` are whole lines."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {address.host}:{address.port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body
