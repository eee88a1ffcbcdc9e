"""One connection of one request: what is asked goes out, what comes is fed and counted. Nothing else is in the way."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import cast

from loadtest.record import Record
from loadtest.surfaces.base import Talk


class Connection(asyncio.Protocol):
    """Lives until its talk wants no more of it, or it is cut after `room` more bytes, or lost."""

    def __init__(self, talk: Talk, question: bytes, due: float, record: Record, begun: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.room: int | None = None
        """How many bytes it may still read."""
        self._talk = talk
        self._question = question
        self._due = due
        self._record = record
        self._begun = begun
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._question)

    def data_received(self, data: bytes) -> None:
        if self.done.done():
            return
        talk, now = self._talk, perf_counter()
        if self.room is not None:
            data = data[: self.room]
            self.room -= len(data)
        before = talk.outcome.events
        talk.outcome.bytes += len(data)
        answer = talk.feed(data, now - self._due)
        if said := talk.outcome.events - before:
            self._record.said(now - self._begun, said)
        if answer and self._transport is not None:
            self._transport.write(answer)
        if talk.ended:
            self.done.set_result(None)
        elif self.room == 0:
            talk.cut()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._talk.lost(abruptly=exc is not None)
            self.done.set_result(None)
