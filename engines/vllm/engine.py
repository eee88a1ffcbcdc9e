"""The gateway's side of a vLLM engine: sends prompts to its host, reads what it says."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from engines.base import Chunk, Delta, Embeddings, Prompt, Report, Said, Traits
from engines.errors import EngineError
from engines.pouring import Take
from engines.vllm import wire
from engines.vllm.hosting import Hosting
from engines.vllm.link import Lane, Link
from engines.vllm.resting import Level
from engines.vllm.stages import Stage, Stages

_SLEEP_S: Final = 120.0
"""Weights of a hundred gigabytes go to the machine's memory in less."""

_log = logging.getLogger(__name__)


class VllmEngine:
    """One model on vLLM, in a host process. With a `sleep_level`, `stop` puts it to sleep, and `start` wakes it."""

    def __init__(
        self, hosting: Hosting, sleep_level: Level | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hosting = hosting
        self._sleep_level = sleep_level
        self._clock = clock
        self._link: Link | None = None
        self._warm = False
        self._asleep = False
        self._traits = Traits()
        self.stages: list[Stage] = []
        """The stages of the boot that is under way or was the last, each with its seconds."""

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def running(self) -> int:
        return len(self._link.lanes) if self._link else 0

    @property
    def pid(self) -> int | None:
        """The host's process, while it runs and is nobody else's."""
        return self._hosting.pid

    async def start(self, report: Report) -> None:
        stages = Stages(report, self._clock)
        self.stages = stages.taken
        if self._asleep and await self._wake(stages):
            return
        link = self._link = Link(stages.begin)
        try:
            with tempfile.TemporaryDirectory(prefix="hearth-", dir=_short_folder()) as folder:
                ready = await self._meet(link, os.path.join(folder, "host"), stages.begin)
        except OSError as error:
            raise EngineError(
                "boot_failed",
                f"The socket to the engine could not be made: {error}. Set TMPDIR to a folder with room to write in.",
            ) from error
        stages.end()
        self._warm = True
        self._traits = Traits(
            context_length=ready.context_length,
            parameters=ready.parameters,
            chat=ready.chat,
            embeds=ready.embeds,
            version=ready.version,
            chat_defaults=ready.chat_defaults,
            text_defaults=ready.text_defaults,
        )

    async def _meet(self, link: Link, path: str, report: Report) -> wire.Ready:
        server = await asyncio.get_running_loop().create_unix_server(lambda: link, path)
        try:
            await self._hosting.call(path, link, report)
            return await asyncio.shield(link.ready)
        finally:
            # Nobody else may connect; the link stays.
            server.close()

    async def _wake(self, stages: Stages) -> bool:
        """Whether the engine that sleeps is warm again; if not it is ended, and has to boot."""
        assert self._link is not None and self._sleep_level is not None
        self._asleep = False
        stages.begin("waking")
        fault = await self._link.settle(wire.Wake(self._sleep_level))
        stages.end()
        if fault is not None:
            _log.warning("The engine did not wake, and boots instead: %s", fault)
            await self._end()
        self._warm = fault is None
        return self._warm

    async def stop(self) -> None:
        warm, self._warm = self._warm, False
        if warm and self._sleep_level is not None:
            self._asleep = await self._sleep(self._sleep_level)
        if not self._asleep:
            await self._end()

    async def _sleep(self, level: Level) -> bool:
        assert self._link is not None
        if self._link.died.done():
            return False
        try:
            async with asyncio.timeout(_SLEEP_S):
                fault = await self._link.settle(wire.Sleep(level))
        except TimeoutError:
            fault = f"it was not asleep after {_SLEEP_S:.0f} s"
        if fault is not None:
            _log.warning("The engine does not sleep, and is ended instead: %s", fault)
        return fault is None

    async def _end(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await self._hosting.part(link)
            link.end("The engine was stopped.")

    async def leave(self, *, others: bool = False) -> None:
        self._warm = self._asleep = False
        await self._end()

    async def close(self) -> None:
        await self.leave()
        await self._hosting.close()

    async def invite(self, path: str) -> bool:
        """Have the host serve the gateway that listens at that path as well; False when it is gone."""
        return self._link is not None and await self._link.invite(path)

    async def died(self) -> str:
        assert self._link is not None
        return await asyncio.shield(self._link.died)

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        chunks: deque[Chunk] = deque()
        more = asyncio.Event()

        def take(chunk: Chunk) -> None:
            chunks.append(chunk)
            more.set()

        with self._answering(id, prompt, said, take) as lane:
            lane.over.add_done_callback(lambda _: more.set())
            while chunks or not lane.over.done():
                while chunks:
                    yield chunks.popleft()
                if not lane.over.done():
                    more.clear()
                    await more.wait()
            lane.over.result()

    async def pour(self, id: str, prompt: Prompt, said: tuple[Said, ...], take: Take) -> None:
        with self._answering(id, prompt, said, take) as lane:
            await lane.over

    @contextmanager
    def _answering(self, id: str, prompt: Prompt, said: tuple[Said, ...], take: Take) -> Iterator[Lane]:
        """Ask, and have every chunk given to `take` as it comes in, until the end of the block."""
        # The first `Accepted`, and a finish for each choice that has none yet.
        left = prompt.choices - sum(one.finished for one in said)

        def taken(chunk: Chunk) -> bool:
            nonlocal left
            take(chunk)
            if type(chunk) is Delta and chunk.finish is not None:
                left -= 1
            return not left

        link = self._living()
        number, lane = link.open(taken)
        try:
            link.say(wire.Start(number, id, prompt, said))
            yield lane
        finally:
            link.close(number)

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        given: list[Embeddings] = []

        def take(embeddings: Embeddings) -> bool:
            given.append(embeddings)
            return True

        link = self._living()
        number, lane = link.open(take)
        try:
            link.say(wire.Embed(number, id, prompt))
            await lane.over
            return given[0]
        finally:
            link.close(number)

    async def beat(self) -> None:
        if self._traits.embeds:
            await self.embed("beat", Prompt(texts=((0,),)))
            return
        prompt = Prompt(texts=((0,),), parameters={"max_tokens": 1})
        async for _ in self.generate("beat", prompt):
            pass

    def _living(self) -> Link:
        if self._link is None or self._link.died.done():
            raise EngineError("engine_died", "The engine is not running.")
        return self._link

    async def metrics(self) -> str:
        link = self._link
        if link is None or not link.ready.done() or link.died.done():
            return ""
        return await link.metrics()


def _short_folder() -> str | None:
    """Where sockets go when the system's choice has too long a name for one (108 bytes, unix(7))."""
    return "/tmp" if len(os.fsencode(tempfile.gettempdir())) > 80 else None
