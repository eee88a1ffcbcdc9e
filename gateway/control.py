"""What a supervisor and its workers say to each other, over a pair of sockets for each worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar, cast

import msgspec

from engines.vllm import sharing
from engines.vllm.wire import Splitter


class Begin(msgspec.Struct, frozen=True, array_like=True, tag="begin"):
    """To a worker: serve with these settings, packed by `gateway.settings`."""

    settings: bytes
    server: str
    """What the workers together are called: no other server has that name."""
    redis: str | None = None
    """The Redis that was started for the workers; None where the settings name one."""


class Serving(msgspec.Struct, frozen=True, array_like=True, tag="serving"):
    """To the supervisor: connections are answered from now on."""


class Draining(msgspec.Struct, frozen=True, array_like=True, tag="draining"):
    """To the supervisor: asked to end, and waiting for so many generations."""

    running: int


ToWorker = Begin | sharing.ToWorker
ToSupervisor = Serving | Draining | sharing.ToSupervisor

Heard = TypeVar("Heard")


class Channel(asyncio.Protocol, Generic[Heard]):
    """One end of the pair: hears whole messages of one kind, and says those of the other."""

    def __init__(
        self, decoder: msgspec.msgpack.Decoder[Heard], hear: Callable[[Heard], None], ended: Callable[[], None]
    ) -> None:
        self._decode = decoder.decode
        self._hear = hear
        self._ended = ended
        self._split = Splitter()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ended()

    def data_received(self, data: bytes) -> None:
        for body in self._split.feed(data):
            self._hear(self._decode(body))

    def say(self, message: ToWorker | ToSupervisor) -> None:
        """Send a message; nothing happens when nobody is there any more."""
        if self._transport is not None:
            body = msgspec.msgpack.encode(message)
            self._transport.write(len(body).to_bytes(4, "big") + body)

    def close(self) -> None:
        """Hear and say nothing any more."""
        if self._transport is not None:
            self._transport.close()


def at_worker(hear: Callable[[ToWorker], None], ended: Callable[[], None]) -> Channel[ToWorker]:
    """A worker's end."""
    return Channel(msgspec.msgpack.Decoder(ToWorker), hear, ended)


def at_supervisor(hear: Callable[[ToSupervisor], None], ended: Callable[[], None]) -> Channel[ToSupervisor]:
    """The supervisor's end for one worker."""
    return Channel(msgspec.msgpack.Decoder(ToSupervisor), hear, ended)
