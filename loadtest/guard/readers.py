"""Readers that take bytes and do nothing with them, so that one process can feed on any server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, cast

from loadtest.address import Address
from loadtest.servers import ServerError

_DEADLINE_S: Final = 60.0
_AT_ONCE: Final = 32
_FRAME: Final = b"data: "


class Heard(NamedTuple):
    """What all readers got once each had its answer's head, and what the server spent on that."""

    frames: int
    bytes: int
    cpu_s: float


class _Reader(asyncio.Protocol):
    def __init__(self, question: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.began: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._question = question
        self._parts: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    @property
    def text(self) -> bytes:
        """All that came."""
        return b"".join(self._parts)

    def ask(self) -> None:
        """Send the question."""
        self.say(self._question)

    def say(self, more: bytes) -> None:
        """Write, once connected."""
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(more)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        if not self.began.done():
            self.began.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.began, self.ended):
            if not future.done():
                future.set_result(None)


async def hear(
    address: Address, questions: Sequence[bytes], end: bytes, cpu: Callable[[], float], go: bytes = b""
) -> Heard:
    """Ask each question on a connection of its own, and read to the end. `cpu` is what the server has spent so far.

    `go` is said on the first connection when all have begun to be answered.
    Raises ServerError when an answer does not end with `end`; OSError, TimeoutError.
    """
    loop = asyncio.get_running_loop()
    readers: list[_Reader] = []
    async with asyncio.timeout(_DEADLINE_S):
        for start in range(0, len(questions), _AT_ONCE):
            some = [partial(_Reader, question) for question in questions[start : start + _AT_ONCE]]
            opened = await asyncio.gather(*(loop.create_connection(reader, *address) for reader in some))
            readers += [reader for _, reader in opened]
        for reader in readers:
            reader.ask()
        await asyncio.gather(*(reader.began for reader in readers))
        spent, before = cpu(), [reader.text for reader in readers]
        readers[0].say(go)
        await asyncio.gather(*(reader.ended for reader in readers))
    spent, after = cpu() - spent, [reader.text for reader in readers]
    if wrong := [text for text in after if end not in text[-1000:]]:
        raise ServerError(f"{len(wrong)} of {len(after)} answers are not whole; one ends with {wrong[0][-300:]!r}")
    frames = [sum(text.count(_FRAME) for text in texts) for texts in (before, after)]
    return Heard(frames[1] - frames[0], sum(map(len, after)) - sum(map(len, before)), spent)
