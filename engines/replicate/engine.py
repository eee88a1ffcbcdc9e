"""A model hosted on Replicate, as an engine.

It is warm when it was seen at work lately. The platform lets a model go cold that nobody asks, and tells nobody. So
`start` has it give a token, which is its boot if it was cold, and every prediction is a sight of it, a `beat` too.
`died` returns when it was not seen for `stays_warm_s`, for then nothing is known of it any more. It returns as well
when what is asked waits while nothing else is at work: then it is cold, and whoever asked comes again after the boot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, NamedTuple

from engines.base import (
    JSON,
    UNTOLD,
    Chunk,
    Delta,
    Embeddings,
    Prompt,
    Report,
    Said,
    Traits,
)
from engines.errors import EngineError
from engines.replicate.asking import ask, least, longest
from engines.replicate.counting import Counting
from engines.replicate.faults import outcome
from engines.replicate.hosted import Hosted, find
from engines.replicate.output import ending
from engines.replicate.platform import Platform
from engines.replicate.run import Run
from engines.replicate.source import Source
from engines.replicate.stages import stage

_POLL_S: Final = 0.5
"""Between two looks at a prediction; Replicate's own clients look as often."""
_NO_BOOT: Final = ("engine_died", "engine_failed", "invalid_request")
"""What is no more than a boot that failed, where nobody has asked for anything yet."""
_COLD_S: Final = 20.0
"""A model that lets a prediction wait for that long, and was not seen at work meanwhile, is cold."""


class _Life(NamedTuple):
    """From a start to a stop."""

    platform: Platform
    hosted: Hosted
    found_cold: asyncio.Event


class ReplicateEngine:
    """One model of one account. Each answer is a prediction of its own, the choices of a prompt one after the other."""

    def __init__(self, source: Source, token: str | None, poll_s: float = _POLL_S) -> None:
        self._source = source
        self._token = token
        self._poll_s = poll_s
        self._life: _Life | None = None
        """What it runs with while it is started."""
        self._known: Hosted | None = None
        """What was found out of a version: that never changes."""
        self._traits = Traits(context_length=source.options.context_length, goes_cold=True)
        self._running: set[str] = set()
        self._runs: set[Run] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._seen = 0.0
        """When it was last at work (the loop's clock)."""

    @property
    def traits(self) -> Traits:
        return self._traits

    @property
    def running(self) -> int:
        return len(self._running)

    async def start(self, report: Report) -> None:
        if not self._token:
            raise EngineError("boot_failed", "Models on Replicate want a token: set REPLICATE_API_TOKEN.")
        report(f"asking Replicate for {self._source}")
        options = self._source.options
        platform = Platform(options.url, self._token, str(self._source), self._poll_s)
        try:
            hosted = self._known or await find(platform, self._source)
            life = _Life(platform, hosted, asyncio.Event())
            await self._work(life, report)
        except BaseException as error:
            await self._part(platform)
            if isinstance(error, EngineError) and error.code in _NO_BOOT:
                raise EngineError("boot_failed", error.message) from error
            raise
        self._life = life
        self._known = hosted if self._source.version else None
        self._traits = hosted.traits(options.context_length)

    async def stop(self) -> None:
        life, self._life = self._life, None
        if life is not None:
            await self._part(life.platform)

    async def leave(self, *, others: bool = False) -> None:
        await self.stop()

    async def close(self) -> None:
        await self.stop()

    async def died(self) -> str:
        clock = asyncio.get_running_loop().time
        idle = self._source.options.stays_warm_s
        while (life := self._life) is not None:
            left = self._seen + idle - clock()
            if left <= 0 and not self._running:
                return f"nobody asked it for {idle:g} s, and Replicate may have let it go cold"
            try:
                async with asyncio.timeout(left if left > 0 else idle):
                    await life.found_cold.wait()
                return "Replicate let it go cold"
            except TimeoutError:
                continue
        # It was stopped, and dies no more.
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        life = self._living()
        if any(not one.finished and one != Said() for one in said):
            raise EngineError("cannot_continue", "A model on Replicate does not go on from another's words.")
        choices = [choice for choice in range(prompt.choices) if not (said and said[choice].finished)]
        # All of them, so that what is not taken is told before anything is paid for.
        inputs = [ask(prompt, choice, life.hosted.schema) for choice in choices]
        counting = Counting(prompt)
        self._running.add(id)
        try:
            if not choices:
                yield counting.guess
            for choice, asked in zip(choices, inputs, strict=True):
                async with aclosing(self._predict(life, choice, asked, counting)) as chunks:
                    async for chunk in chunks:
                        if isinstance(chunk, Delta) and chunk.finish:
                            yield counting.counted if choice == choices[-1] else counting.spent
                        yield chunk
        finally:
            self._running.discard(id)

    async def _predict(
        self, life: _Life, choice: int, asked: dict[str, JSON], counting: Counting
    ) -> AsyncGenerator[Chunk]:
        """One choice. Nothing is told before its model is seen to run it: what waits is not paid for."""
        run = self._begin(life, asked)
        ran = False
        try:
            await run.begin()
            async with aclosing(run.pieces()) as pieces:
                async for piece in pieces:
                    if run.ran and not ran:
                        ran = True
                        yield counting.guess
                    if piece:
                        yield Delta(choice, piece, (UNTOLD,))
                    if run.ran:
                        self._see()
                    elif run.waited_s >= _COLD_S:
                        self._doubt(life)
        finally:
            self._leave(run)
        counting.add(choice, run.prediction.metrics, run.ran_s)
        if (fault := outcome(run.prediction)) is not None:
            if ran:
                yield counting.spent
            raise fault
        yield ending(choice, run.prediction, run.told, longest(asked, life.hosted.schema))

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        raise EngineError("invalid_request", "Models on Replicate make no embeddings here.", parameter="model")

    async def beat(self) -> None:
        life = self._living()
        try:
            async with asyncio.timeout(_COLD_S):
                await self._work(life, lambda stage: None)
        except TimeoutError:
            self._doubt(life)

    async def metrics(self) -> str:
        return ""

    async def _work(self, life: _Life, report: Report) -> None:
        """Have the model give one token, telling each stage. Raises EngineError."""
        told = ""
        run = self._begin(life, least(life.hosted.schema))
        try:
            await run.begin()
            while not run.ended and not run.said:
                now = stage(run.prediction, run.waited_s)
                if now != told:
                    report(told := now)
                await run.pause()
                await run.look()
        finally:
            self._leave(run)
        if run.ended and (fault := outcome(run.prediction)) is not None:
            raise fault
        self._see()

    def _begin(self, life: _Life, asked: dict[str, JSON]) -> Run:
        run = Run(life.platform, life.hosted, asked, self._poll_s)
        self._runs.add(run)
        return run

    def _leave(self, run: Run) -> None:
        """Let go of a prediction; it is canceled if it still runs. `stop` waits for that, and nobody else."""
        if run not in self._runs:
            return
        self._runs.remove(run)
        if not run.ended:
            task = asyncio.create_task(run.leave(), name="leaving a prediction")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def _see(self) -> None:
        self._seen = asyncio.get_running_loop().time()

    def _doubt(self, life: _Life) -> None:
        """Take it for cold if it was not seen lately: what waits then waits for a boot. Raises EngineError."""
        if asyncio.get_running_loop().time() - self._seen >= _COLD_S:
            life.found_cold.set()
            raise EngineError("engine_died", f"Replicate let {self._source} go cold.")

    async def _part(self, platform: Platform) -> None:
        """Let go of all predictions, and then of the platform."""
        for run in list(self._runs):
            self._leave(run)
        await asyncio.gather(*self._leaving)
        await platform.close()

    def _living(self) -> _Life:
        if self._life is None:
            raise EngineError("engine_died", "The engine is not running.")
        return self._life
