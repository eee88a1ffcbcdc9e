"""A native reader of one log, as cheap as Python can: it shares its cores with the servers."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Final, TypeVar, cast

from loadtest.address import Address
from loadtest.crowd.trail import Trail
from loadtest.servers import ServerError
from loadtest.stream import Answer

_FRAME: Final = re.compile(rb'id: (\S+-(\d+))\nevent: (\w+)\ndata: \{"o":(\d+),')
_HEAD: Final = re.compile(rb"retry: (\d+)\n: open ")
_SENT_AWAY: Final = b"event: cut\n"
_AT_ONCE: Final = 50
_JOIN_S: Final = 60.0
_LOOK_S: Final = 0.02


class Reader:
    """Follows a log over one connection after the other, goes on where it was, and notes when what arrived."""

    def __init__(self, id: str) -> None:
        self.id = id
        """The generation's."""
        self.trail = Trail()
        self.heads: list[float] = []
        """When a server began to answer."""
        self.retry_s = 0.0
        """How long the server asked to wait before coming back."""
        self.ended = False
        self.errors: Counter[str] = Counter()
        self._offset = -1
        self._position = b""
        self._sent_away = False

    async def follow(self, address: Address) -> None:
        """Read over one connection until it ends; what was wrong with it is counted."""
        self._sent_away = False
        loop = asyncio.get_running_loop()
        connection = _Connection(self._request(address), self._take, loop.create_future())
        try:
            transport, _ = await loop.create_connection(lambda: connection, *address)
        except OSError as error:
            self.errors[type(error).__name__] += 1
            return
        try:
            await connection.done
        finally:
            transport.abort()
        if not (self.ended or self._sent_away):
            self.errors[_failure(connection.answer)] += 1

    def _request(self, address: Address) -> bytes:
        host, port = address
        head = f"GET /v1/streams/{self.id} HTTP/1.1\r\nhost: {host}:{port}\r\naccept: text/event-stream\r\n"
        after = b"last-event-id: %s\r\n" % self._position if self._position else b""
        return head.encode() + b"connection: close\r\n" + after + b"\r\n"

    def _take(self, events: list[bytes]) -> None:
        now, before = perf_counter(), self._offset
        for event in events:
            frame = _FRAME.match(event)
            if frame is None:
                self._take_special(event, now)
                continue
            self._position, last, kind, first = frame.groups()
            if int(first) != self._offset + 1:
                self.errors["lost" if int(first) > self._offset + 1 else "doubled"] += 1
            self._offset = int(last)
            self.ended = kind == b"end"
        if self._offset != before:
            self.trail.note(self._offset, now)

    def _take_special(self, event: bytes, now: float) -> None:
        if head := _HEAD.match(event):
            self.heads.append(now)
            self.retry_s = int(head[1]) / 1000
        self._sent_away = self._sent_away or _SENT_AWAY in event


class _Connection(asyncio.Protocol):
    """One request and its answer."""

    def __init__(self, request: bytes, take: Callable[[list[bytes]], None], done: asyncio.Future[None]) -> None:
        self.answer = Answer()
        self.done = done
        self._request = request
        self._take = take

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._take(self.answer.feed(data))
        if self.answer.ended:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _failure(answer: Answer) -> str:
    """What became of an answer that ended, and nobody had said so."""
    if answer.status in (0, 200):
        return "cut_off" if answer.status else "no_answer"
    try:
        return f"{answer.status} {json.loads(answer.plain)['error']['code']}"
    except (ValueError, KeyError, TypeError):
        return str(answer.status)


_R = TypeVar("_R", bound=Reader)


@asynccontextmanager
async def gathered(
    readers: Sequence[_R], live: Callable[[_R], Coroutine[Any, Any, None]]
) -> AsyncIterator[Sequence[asyncio.Task[None]]]:
    """Let them come in, some at a time, until each has read something; they leave at the end. Raises ServerError."""
    tasks: list[asyncio.Task[None]] = []
    try:
        for start in range(0, len(readers), _AT_ONCE):
            some = readers[start : start + _AT_ONCE]
            tasks += [asyncio.create_task(live(reader)) for reader in some]
            if not await all_of(some, lambda reader: bool(reader.trail.times), _JOIN_S):
                raise ServerError(f"not all readers could read: {errors(readers)}")
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def all_of(readers: Sequence[_R], have: Callable[[_R], bool], seconds: float) -> bool:
    """Wait until they all have; false when they do not in that time."""
    until = perf_counter() + seconds
    while not all(map(have, readers)):
        if perf_counter() > until:
            return False
        await asyncio.sleep(_LOOK_S)
    return True


def errors(readers: Sequence[Reader]) -> Mapping[str, int]:
    """Return what went wrong, counted."""
    return dict(sum((reader.errors for reader in readers), Counter[str]()))
