"""The socket to an engine host, and the lanes on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from engines.base import Accepted, Delta, Report
from engines.errors import EngineError
from engines.vllm import wire

_METRICS_S: Final = 2.0


class Lane:
    """What one caller is given, as it comes in: it is pushed to `take`, which says whether that was the last of it."""

    def __init__(self, take: Callable[[Any], bool]) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done after the last of it; with the error that ended the lane, if one did."""
        self.ended = False
        """Whether the host has nothing more for it."""
        self._take = take

    def give(self, given: Any) -> None:
        if self.over.done():
            return
        try:
            if self._take(given):
                self.ended = True
                self.over.set_result(None)
        except Exception as error:  # noqa: BLE001
            # Whatever its caller made of it must not stop the other lanes.
            self.over.set_exception(error)

    def fail(self, error: EngineError) -> None:
        self.ended = True
        if not self.over.done():
            self.over.set_exception(error)


class Link(asyncio.Protocol):
    """One gateway's end of the socket."""

    def __init__(self, report: Report) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[wire.Ready] = loop.create_future()
        self.died: asyncio.Future[str] = loop.create_future()
        self.lanes: dict[int, Lane] = {}
        self._report = report
        self._count = 0
        self._asking: list[asyncio.Future[str]] = []
        self._inviting: dict[str, asyncio.Future[bool]] = {}
        self._settling: asyncio.Future[str | None] | None = None
        self._split = wire.Splitter()
        self._decode = wire.from_host().decode
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end("The engine's process closed its connection.")

    def data_received(self, data: bytes) -> None:
        for body in self._split.feed(data):
            message = self._decode(body)
            if isinstance(message, wire.Step):
                self._step(message.chunks)
            else:
                self._other(message)

    def open(self, take: Callable[[Any], bool]) -> tuple[int, Lane]:
        """A lane of its own for one generation or one call of `embed`."""
        self._count += 1
        lane = self.lanes[self._count] = Lane(take)
        return self._count, lane

    def close(self, number: int) -> None:
        """Nobody wants what comes on that lane any more: the host is told, if it does not know."""
        lane = self.lanes.pop(number)
        if not lane.ended:
            self.say(wire.Abort(number))
        if lane.over.done() and not lane.over.cancelled():
            # Who was cancelled in the meantime does not ask for the error, and that is no fault.
            lane.over.exception()

    def say(self, message: wire.ToHost) -> None:
        """Send a message; nothing happens when nobody is there any more."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(wire.pack(message))

    def end(self, reason: str, code: str = "engine_died") -> None:
        """Everything that still waits on this host fails with that reason; the first reason stays."""
        if self.died.done():
            return
        self.died.set_result(reason)
        if not self.ready.done():
            self.ready.set_exception(
                EngineError("bad_model_source" if code == "bad_model_source" else "boot_failed", reason)
            )
            # Whoever booted it may have given up, and that is no fault.
            self.ready.exception()
        for lane in self.lanes.values():
            lane.fail(EngineError("engine_died", f"{reason} The model is being started again: ask again."))
        for asking in self._asking:
            if not asking.done():
                asking.set_result("")
        for inviting in self._inviting.values():
            if not inviting.done():
                inviting.set_result(False)
        self._settled(reason)
        if self._transport is not None:
            self._transport.close()

    async def metrics(self) -> str:
        """The host's metrics, empty when it does not say them in time."""
        asking: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asking.append(asking)
        self.say(wire.AskMetrics())
        try:
            return await asyncio.wait_for(asking, _METRICS_S)
        except TimeoutError:
            return ""

    async def invite(self, path: str) -> bool:
        """Have the host serve the gateway that listens at that path as well; False when it ended before it could."""
        if self.died.done():
            return False
        inviting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._inviting[path] = inviting
        self.say(wire.Greet(path))
        try:
            return await inviting
        finally:
            del self._inviting[path]

    async def settle(self, message: wire.Sleep | wire.Wake) -> str | None:
        """Wait until the engine sleeps or is warm again; why it could not, if it could not. One at a time."""
        if self.died.done():
            return self.died.result()
        settling: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._settling = settling
        self.say(message)
        return await settling

    def _settled(self, fault: str | None) -> None:
        if self._settling is not None and not self._settling.done():
            self._settling.set_result(fault)

    def _step(self, chunks: list[tuple[int, Accepted | Delta]]) -> None:
        lanes = self.lanes
        for number, chunk in chunks:
            lane = lanes.get(number)
            if lane is not None:
                lane.give(chunk)

    def _other(self, message: wire.FromHost) -> None:
        match message:
            case wire.Progress():
                self._report(message.text)
            case wire.Ready():
                if not self.ready.done():
                    self.ready.set_result(message)
            case wire.Embedded():
                if lane := self.lanes.get(message.lane):
                    lane.give(message.embeddings)
            case wire.Failed():
                if lane := self.lanes.get(message.lane):
                    lane.fail(EngineError(message.code, message.message, parameter=message.parameter))
            case wire.Metrics():
                if self._asking:
                    asking = self._asking.pop(0)
                    if not asking.done():
                        asking.set_result(message.text)
            case wire.Greeted():
                inviting = self._inviting.get(message.path)
                if inviting is not None and not inviting.done():
                    inviting.set_result(True)
            case wire.Settled():
                self._settled(message.fault)
            case wire.Died():
                self.end(message.reason, message.code)
