"""The gateway's side of a vLLM engine: boots a host, sends it prompts, reads what it says."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import deque
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

from engines.base import Accepted, Chunk, Delta, Knobs, Prompt, Report, Said, Traits
from engines.errors import EngineError
from engines.vllm import wire
from engines.vllm.nest import Nest

BUNDLED = Path(__file__).parent.parent / "campfire" / "model"
"""The folder of the model that comes with Hearth."""

_STOP_S = 10.0
_METRICS_S = 2.0


class VllmEngine:
    """One model on vLLM, in a host process of its own.

    `source` is a local folder, a model's name on Hugging Face, or `bundled`; the knobs are options of `vllm serve`.
    """

    def __init__(self, name: str, source: str, knobs: Knobs, nest: Nest) -> None:
        self._name = name
        self._source = str(BUNDLED) if source == "bundled" else source
        self._knobs = knobs
        self._nest = nest
        self._link: _Link | None = None
        self.pid: int | None = None
        """The host's process, while it runs."""
        self._traits = Traits()
        nest.join()

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def running(self) -> int:
        return len(self._link.lanes) if self._link else 0

    async def start(self, report: Report) -> None:
        report("importing vLLM")
        await self._nest.start()
        report("starting the engine's process")
        link = self._link = _Link(report)
        try:
            with tempfile.TemporaryDirectory(prefix="hearth-", dir=_short_folder()) as folder:
                ready = await self._raise_host(link, os.path.join(folder, "host"))
        except OSError as error:
            raise EngineError(
                "boot_failed",
                f"The socket to the engine could not be made: {error}. Set TMPDIR to a folder with room to write in.",
            ) from error
        self._traits = Traits(context_length=ready.context_length, parameters=ready.parameters, chat=ready.chat)

    async def _raise_host(self, link: _Link, path: str) -> wire.Ready:
        server = await asyncio.get_running_loop().create_unix_server(lambda: link, path)
        try:
            arguments = {"path": path, "name": self._name, "source": self._source, "knobs": dict(self._knobs)}
            self.pid, gone = await self._nest.bear(arguments)
            gone.add_done_callback(lambda ended: link.end(_obituary(ended.result())))
            return await asyncio.shield(link.ready)
        finally:
            # Nobody else may connect; the link stays.
            server.close()

    async def stop(self) -> None:
        link, self._link = self._link, None
        pid, self.pid = self.pid, None
        if link is None:
            return
        link.say(wire.Stop())
        if pid is not None and not link.ready.done():
            # It loads a model, and would hear of the end only afterwards.
            self._nest.kill(pid)
        if pid is not None:
            try:
                await asyncio.wait_for(self._nest.gone(pid), _STOP_S)
            except TimeoutError:
                self._nest.kill(pid)
                await asyncio.wait_for(self._nest.gone(pid), _STOP_S)
        link.end("The engine was stopped.")

    async def close(self) -> None:
        await self.stop()
        await self._nest.leave()

    async def died(self) -> str:
        assert self._link is not None
        return await asyncio.shield(self._link.died)

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        link = self._link
        if link is None or link.died.done():
            raise EngineError("engine_died", "The engine is not running.")
        number, lane = link.open()
        # The one `Accepted`, and a finish for each choice that has none yet.
        left = 1 + prompt.choices - sum(one.finished for one in said)
        try:
            link.say(wire.Start(number, id, prompt, said))
            while left:
                chunk = lane.chunks.popleft() if lane.chunks else await lane.next()
                if not isinstance(chunk, Delta) or chunk.finish is not None:
                    left -= 1
                yield chunk
        finally:
            del link.lanes[number]
            if left and lane.error is None:
                link.say(wire.Abort(number))

    async def beat(self) -> None:
        prompt = Prompt(texts=((0,),), parameters={"max_tokens": 1})
        async for _ in self.generate("beat", prompt):
            pass

    async def metrics(self) -> str:
        link = self._link
        if link is None or not link.ready.done() or link.died.done():
            return ""
        return await link.metrics()


def _short_folder() -> str | None:
    """Where sockets go when the system's choice has too long a name for one (108 bytes, unix(7))."""
    return "/tmp" if len(os.fsencode(tempfile.gettempdir())) > 80 else None


def _obituary(status: int) -> str:
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"The engine's process {how}."


class _Lane:
    """What one generation is still to be given."""

    def __init__(self) -> None:
        self.chunks: deque[Chunk] = deque()
        self.error: EngineError | None = None
        self._waiting: asyncio.Future[None] | None = None

    def give(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self._wake()

    def fail(self, error: EngineError) -> None:
        if self.error is None:
            self.error = error
            self._wake()

    async def next(self) -> Chunk:
        """The next chunk, when it comes. Raises the error that ended the lane, after every chunk before it."""
        while not self.chunks:
            if self.error is not None:
                raise self.error
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self.chunks.popleft()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Link(asyncio.Protocol):
    """The socket to a host, and the lanes on it."""

    def __init__(self, report: Report) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[wire.Ready] = loop.create_future()
        self.died: asyncio.Future[str] = loop.create_future()
        self.lanes: dict[int, _Lane] = {}
        self._report = report
        self._count = 0
        self._asking: list[asyncio.Future[str]] = []
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

    def open(self) -> tuple[int, _Lane]:
        """A lane of its own for one generation."""
        self._count += 1
        lane = self.lanes[self._count] = _Lane()
        return self._count, lane

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
            case wire.Failed():
                if lane := self.lanes.get(message.lane):
                    lane.fail(EngineError(message.code, message.message, parameter=message.parameter))
            case wire.Metrics():
                if self._asking:
                    asking = self._asking.pop(0)
                    if not asking.done():
                        asking.set_result(message.text)
            case wire.Died():
                self.end(message.reason, message.code)
