"""What a reader is to be sent next, in its surface's words, and when that was all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, Protocol

from starlette.types import Scope

from gateway.core import Gateway
from gateway.log.local import Reader
from gateway.surfaces.stall import Stall

KEEP_ALIVE: Final = b": keep-alive\n\n"


class Dialect(Protocol):
    """How a surface says what a log says. One object for each reader: it may remember what it has said."""

    def frames(self, reader: Reader) -> bytes:
        """Take what the reader has and say it; empty when nothing of it is for this surface."""
        raise NotImplementedError

    def cut(self, code: str) -> bytes:
        """Say that this connection ends early (`draining`, `slow_reader`), and how to go on."""
        raise NotImplementedError


class Following:
    """One reader's answer: `head`, then a frame for all there is, again and again, until its log ends.

    A comment goes through every silence of `keep_alive_s`. One that `rotates` after so many seconds ends then, with the
    next frame.
    """

    __slots__ = ("_dialect", "_draining", "_until", "ended", "head", "keep_alive_s", "reader", "stall", "turns")

    def __init__(
        self,
        gateway: Gateway,
        reader: Reader,
        dialect: Dialect,
        scope: Scope,
        keep_alive_s: float,
        head: bytes = b"",
        rotates: float | None = None,
    ) -> None:
        self.reader = reader
        self.turns = gateway.turns
        self.keep_alive_s = keep_alive_s
        self.head = head
        self.ended = False
        """Whether what `next` gave was the last of it."""
        self.stall = Stall(scope)
        reader.cut = self.stall.cut
        self._draining = gateway.draining
        self._dialect = dialect
        self._until = None if rotates is None else asyncio.get_running_loop().time() + rotates

    def next(self) -> bytes:
        """A frame of what there is to say; empty where there is nothing, now or ever (`ended`)."""
        reader = self.reader
        if self.stall.asked:
            return self._end("slow_reader")
        if reader.pending:
            frame = self._dialect.frames(reader)
            self.ended = reader.done or self._is_late
            return frame
        if reader.done:
            self.ended = True
        elif reader.log.lost is not None:
            return self._end(reader.log.lost)
        elif self._draining.is_set():
            return self._end("draining")
        return b""

    @property
    def has_more(self) -> bool:
        """Whether `next` has more to give now."""
        reader = self.reader
        return reader.pending or self.stall.asked or self._draining.is_set() or reader.log.lost is not None

    def idle(self) -> bytes:
        """What goes through a silence."""
        self.ended |= self._is_late
        return KEEP_ALIVE

    async def frames(self) -> AsyncGenerator[bytes]:
        """Each frame when there is one, for who writes by waiting."""
        reader, clock = self.reader, asyncio.get_running_loop().time
        frame = self.head
        try:
            while True:
                if frame:
                    reader.sending_since = clock()
                    yield frame
                    reader.sending_since = None
                if self.ended:
                    return
                if reader.pending:
                    # A write that the transport takes at once lets nobody else run.
                    await asyncio.sleep(0)
                frame = self.next()
                if not (frame or self.ended or self.has_more) and not await reader.wait(self.keep_alive_s):
                    frame = self.idle()
        finally:
            self.stall.close()

    @property
    def _is_late(self) -> bool:
        return self._until is not None and asyncio.get_running_loop().time() > self._until

    def _end(self, code: str) -> bytes:
        self.ended = True
        return self._dialect.cut(code)
