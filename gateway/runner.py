"""One task per generation: engine in, log out, whoever is watching."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import Literal

from engines.errors import EngineError
from engines.pool import Pool
from gateway.clock import Clock
from gateway.errors import HearthError, from_engine
from gateway.events import Accepted, Canceled, Delta, Failed, Finished, Opened, Progress, Terminal, Timings, Usage
from gateway.generation import Generation, State
from gateway.log.base import Fenced, Writer
from gateway.metrics import Metrics

Reason = Literal["caller", "abandoned", "shutdown"]

FIRST_READER_S = 5.0
"""How long a generation that needs a reader waits for its first one."""

_log = logging.getLogger(__name__)


class Runner:
    """The only writer of one generation's log. `run` is its task; `stop` and `fail` end it early."""

    def __init__(self, generation: Generation, writer: Writer, pool: Pool, clock: Clock, metrics: Metrics) -> None:
        self.generation = generation
        self._writer = writer
        self._pool = pool
        self._clock = clock
        self._metrics = metrics
        self._began = clock.steady()
        self._task: asyncio.Task[None] | None = None
        self._stopped: Reason | HearthError | None = None
        self._cancellable = False
        """Whether the task stands inside the part that a cancel may interrupt: begun, and its end not yet decided."""
        self._leaving: asyncio.TimerHandle | None = None
        self._prompt_tokens = self._cached_tokens = self._tokens = 0
        self._started: float | None = None
        self._first_token: float | None = None
        self._reason = "stop"
        self._choices_left = generation.prompt.choices
        self.heard_at: float | None = None
        """When the engine last gave anything (steady clock); None before it was asked."""

    def start(self) -> asyncio.Task[None]:
        """Begin to run; the caller owns the task."""
        self._task = asyncio.create_task(self._run(), name=f"runner {self.generation.id}")
        log = self._writer.log
        log.on_readers = self._readers_changed
        if self.generation.grace is not None:
            self._leave_after(max(self.generation.grace, FIRST_READER_S))
        return self._task

    def stop(self, by: Reason) -> None:
        """End the generation as canceled; harmless when it has ended."""
        self._end(by)

    def fail(self, error: HearthError) -> None:
        """End the generation as failed; harmless when it has ended."""
        self._end(error)

    def _end(self, why: Reason | HearthError) -> None:
        if self._stopped is None and self._task is not None:
            self._stopped = why
            if self._cancellable:
                self._cancellable = False
                self._task.cancel()

    async def _run(self) -> None:
        terminal = await self._outcome()
        if terminal is not None:
            await self._close(terminal)

    async def _outcome(self) -> Terminal | None:
        """Run to the end, whichever it is; None when another writer has taken the log."""
        try:
            await self._work()
            return Finished(self._reason, self._usage(), self._timings())
        except EngineError as error:
            return self._failed(from_engine(error))
        except HearthError as error:
            return self._failed(error)
        except Fenced:
            _log.info("%s was taken over by another writer", self.generation.id)
            return None
        except asyncio.CancelledError:
            why = self._stopped or "shutdown"
            return self._failed(why) if isinstance(why, HearthError) else self._canceled(why)
        except Exception:  # noqa: BLE001
            # The border of the run: whatever broke, the readers must be told, and none of its details.
            _log.exception("%s broke", self.generation.id)
            return self._failed(HearthError("internal_error"))
        finally:
            self._cancellable = False

    async def _work(self) -> None:
        await self._writer.append(Opened(self.generation.id, self.generation.model, self.generation.created))
        if self._stopped is not None:
            raise asyncio.CancelledError
        self._cancellable = True
        await self._reach()
        await self._pump()

    async def _reach(self) -> None:
        """Wait until the model is warm, telling the readers each stage."""
        async with aclosing(self._pool.reach(self.generation.model)) as stages:
            async for stage in stages:
                if self.generation.state is State.QUEUED:
                    self.generation.move(State.BOOTING)
                await self._writer.append(Progress("booting", stage))
        self.heard_at = self._clock.steady()

    async def _pump(self) -> None:
        """Carry every chunk from the engine into the log."""
        seat = self._pool.seats[self.generation.model]
        chunks = seat.engine.generate(self.generation.id, self.generation.prompt)
        append = self._writer.append
        # Closing the iterator is what aborts in the engine, so it is closed whatever happens.
        async with aclosing(chunks):
            async for chunk in chunks:
                self.heard_at = now = self._clock.steady()
                if isinstance(chunk, Delta):
                    if self._first_token is None:
                        self._first_token = now
                        self._metrics.first_token(self.generation.model, now - self._began)
                    self._tokens += len(chunk.tokens)
                    if chunk.finish is not None:
                        self._choices_left -= 1
                        if chunk.choice == 0:
                            self._reason = chunk.finish
                    await append(chunk)
                else:
                    self._accept(chunk, now)
                    await append(chunk)
        if self._choices_left:
            raise EngineError("engine_failed", "The engine ended before its answer did.")

    def _accept(self, chunk: Accepted, now: float) -> None:
        if self.generation.state is not State.RUNNING:
            self.generation.move(State.RUNNING)
            self._started = now
        self._prompt_tokens, self._cached_tokens = chunk.prompt_tokens, chunk.cached_tokens

    async def _close(self, terminal: Terminal) -> None:
        # Whoever reads the log from now on is no concern of its writer, which the log would keep in memory.
        self._writer.log.on_readers = lambda count: None
        if self._leaving is not None:
            self._leaving.cancel()
        final = {Finished: State.FINISHED, Failed: State.FAILED, Canceled: State.CANCELED}[type(terminal)]
        self.generation.move(final)
        try:
            await self._writer.append(terminal)
        except Fenced:
            _log.info("%s was taken over before its end was written", self.generation.id)
        self._metrics.ended(self.generation.model, final, self._prompt_tokens, self._tokens, self._elapsed())

    def _readers_changed(self, count: int) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if count == 0 and self.generation.grace is not None:
            self._leave_after(self.generation.grace)

    def _leave_after(self, seconds: float) -> None:
        if seconds == 0:
            self.stop("abandoned")
        else:
            self._leaving = asyncio.get_running_loop().call_later(seconds, self.stop, "abandoned")

    def _elapsed(self) -> float:
        return self._clock.steady() - self._began

    def _usage(self) -> Usage:
        return Usage(self._prompt_tokens, self._tokens, self._cached_tokens)

    def _timings(self) -> Timings:
        def since(moment: float | None) -> float | None:
            return None if moment is None else round(moment - self._began, 6)

        return Timings(since(self._started), since(self._first_token), round(self._elapsed(), 6))

    def _failed(self, error: HearthError) -> Failed:
        return Failed(error.code, error.message, error.parameter, self._usage(), self._timings())

    def _canceled(self, by: Reason) -> Canceled:
        return Canceled(by, self._usage(), self._timings())
