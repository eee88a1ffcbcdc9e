"""What an engine, or another run, says goes into a generation's log, and is counted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from engines.base import Chunk
from engines.errors import EngineError
from engines.pouring import Take
from engines.seat import Hold
from gateway.clock import Clock
from gateway.events import Accepted, Delta, Event, Progress
from gateway.generation import State
from gateway.log.base import Writer
from gateway.metrics import Metrics
from gateway.silence import Silence
from gateway.tally import Stopwatch, Tally


class Transcript:
    """Writes one run down. `began` is when it was called for (steady clock)."""

    def __init__(
        self, writer: Writer, tally: Tally, silence: Silence, clock: Clock, metrics: Metrics, began: float
    ) -> None:
        self._writer = writer
        self._generation = writer.log.generation
        self._tally = tally
        self._silence = silence
        self._clock = clock
        self._metrics = metrics
        self._began = began

    @contextmanager
    def of_engine(self, hold: Hold) -> Iterator[Take]:
        """What takes every chunk of an engine's answer into the log; the answer is whole at the end of the block.

        Raises EngineError, and what the log raises.
        """
        # Not waited for: what comes while Redis is asked goes with the next question.
        stage, clock, silence, tally = self._writer.stage, self._clock.steady, self._silence, self._tally
        stopwatch = Stopwatch(clock)
        accepted = False

        def take(chunk: Chunk) -> None:
            nonlocal accepted
            now = clock()
            if type(chunk) is Delta:
                silence.broken(now)
                if tally.first_token is None:
                    self._metrics.first_token(self._generation.model, now - self._began)
                hold.heard(now, len(chunk.tokens))
                tally.gave(chunk, now)
                stage(chunk)
            elif type(chunk) is Accepted:
                hold.heard(now, 0)
                late, accepted = accepted, True
                if self._accept(chunk, now, late=late):
                    stage(chunk)
                stopwatch.took(chunk)
            else:
                silence.broken(now)
                hold.heard(now, 0)
                stage(chunk)

        try:
            yield take
        finally:
            tally.busy_s += stopwatch.seconds
        if tally.choices_left:
            raise EngineError("engine_failed", "The engine ended before its answer did.")

    async def of_run(self, source: AsyncGenerator[Event]) -> None:
        """Carry everything from another run's log into this one. Raises EngineError."""
        accepted = False
        async with aclosing(source):
            async for event in source:
                if isinstance(event, Progress):
                    if event.stage == "booting" and self._generation.state is State.QUEUED:
                        self._generation.move(State.BOOTING)
                    await self._writer.append(event)
                    continue
                now = self._clock.steady()
                if isinstance(event, Delta):
                    self._tally.gave(event, now)
                elif isinstance(event, Accepted):
                    late, accepted = accepted, True
                    if not self._accept(event, now, late=late):
                        continue
                self._writer.stage(event)
        if self._tally.choices_left:
            raise EngineError("engine_failed", "The answer that was followed ended before its end.")

    def _accept(self, chunk: Accepted, now: float, *, late: bool) -> bool:
        """Note that the engine took the prompt, or `late` how long it was; whether the readers do not know that yet."""
        if not late:
            if self._generation.state is State.RUNNING:
                return False
            self._generation.move(State.RUNNING)
            self._generation.started = self._clock.wall()
            self._tally.started = now
        known = late and (chunk.prompt_tokens, chunk.cached_tokens) == self._tally.prompt
        self._tally.took(chunk)
        return not known
