"""One task per generation: engine in, log out, whoever is watching."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, Literal, NamedTuple

from engines.base import Said
from engines.errors import EngineError
from engines.pool import Pool
from engines.pouring import pour
from engines.seat import Hold, Seat
from gateway.abandonment import Abandonment
from gateway.admission import Admission, Gate, Outcome
from gateway.caching import Caching
from gateway.clock import Clock
from gateway.errors import HearthError, from_engine
from gateway.events import (
    Canceled,
    Event,
    Failed,
    Finished,
    Note,
    Progress,
    Terminal,
)
from gateway.failover import Failover
from gateway.generation import State
from gateway.log.base import Fenced, Logs, Writer
from gateway.measure import measure
from gateway.metrics import Metrics
from gateway.retelling import retold
from gateway.silence import Limits, Silence
from gateway.takeover import so_far
from gateway.tally import Tally
from gateway.transcript import Transcript

Reason = Literal["caller", "abandoned", "deadline", "shutdown"]

_LONG: Final = 2048
"""Tokens that an answer is taken to have at most, when engines are weighed against each other."""

_GONE: Final = ("canceled", "cannot_continue", "draining", "log_unavailable")
"""What a run that was followed may end with that is no fault of the question: it went with its replica."""

_log = logging.getLogger(__name__)


class Parts(NamedTuple):
    """What all runners have in common."""

    logs: Logs
    pool: Pool
    caching: Caching
    gate: Gate
    clock: Clock
    metrics: Metrics
    retell_s: float = 15.0
    """How often a reader is told anew for how long a boot will likely take."""


class Source(NamedTuple):
    """What another run says, and how to follow that no longer."""

    events: AsyncGenerator[Event]
    close: Callable[[], None]


class Runner:
    """The only writer of one generation's log. `stop` and `fail` end it early.

    With a `source` it asks no engine: that says what there is to say. An `inherited` log, which another replica began,
    is gone on with from where it stands. One that is not `counted` answers a single caller with another run's words: no
    generation of its own in the metrics.
    """

    def __init__(
        self,
        writer: Writer,
        parts: Parts,
        admission: Admission,
        *,
        source: Source | None = None,
        inherited: bool = False,
        counted: bool = True,
    ) -> None:
        self.generation = generation = writer.log.generation
        self._writer = writer
        self._logs, self._pool, self._caching, self._gate, clock, self._metrics, self._retell_s = parts
        self._clock = clock
        self._admission = admission
        self._source = source
        self.follows = source is not None
        """Whether another run answers, and not an engine: at first, at least."""
        self._inherited = inherited
        self._counted = counted
        self._abandonment = Abandonment(writer, self._logs, lambda: self.stop("abandoned"))
        self._began = clock.steady() - max(0.0, clock.wall() - generation.created)
        self._task: asyncio.Task[None] | None = None
        self._stopped: Reason | HearthError | None = None
        self._handed_over = self._taken_away = False
        self._cancellable = False
        """Whether the task stands inside the part that a cancel may interrupt: begun, and its end not yet decided."""
        self._tally = Tally(generation.prompt.choices, self._began, clock.steady)
        self._asked = False
        """Whether an engine was asked before, and failed."""
        self._version: str | None = None
        """That of the engine which began the answer, where that is known."""
        self._silence = Silence()
        self._transcript = Transcript(writer, self._tally, self._silence, clock, self._metrics, self._began)

    def start(self) -> asyncio.Task[None]:
        """Begin to run; the caller owns the task."""
        self._task = asyncio.create_task(self._run(), name=f"runner {self.generation.id}")
        self._admission.on_stop = self.fail
        self._writer.on_cancel = lambda: self.stop("caller")
        self._writer.on_fenced = self._give_way
        self._abandonment.watch()
        return self._task

    def stop(self, by: Reason) -> None:
        """End the generation as canceled; harmless when it has ended."""
        self._end(by)

    def fail(self, error: HearthError) -> None:
        """End the generation as failed; harmless when it has ended."""
        self._end(error)

    def check(self, now: float, limits: Limits) -> None:
        """Look whether it has waited for too long (steady clock): for its engine, or for its end."""
        if self.generation.deadline is not None and self._clock.wall() >= self.generation.deadline:
            self.stop("deadline")
        if limits.total_s is not None and now - self._began > limits.total_s:
            self.fail(HearthError("deadline_exceeded"))
        if self.generation.prompt.inputs is not None:
            started = self._tally.started
            if started is not None and now - started > limits.predictor_s:
                self.fail(HearthError("deadline_exceeded", "The prediction ran for longer than `prediction_s` allows."))
            return
        self._silence.check(now, limits)

    def part(self) -> None:
        """Leave the generation to another replica, or stop it where none has its log; harmless when it has ended."""
        if self._logs.shared:
            self._handed_over = True
            self._interrupt()
        else:
            self.stop("shutdown")

    def _end(self, why: Reason | HearthError) -> None:
        if self._stopped is None and self._task is not None:
            self._stopped = why
            self._interrupt()

    def _give_way(self) -> None:
        """Another writer has the log: the engine need not work for it any longer."""
        self._taken_away = True
        self._interrupt()

    def _interrupt(self) -> None:
        if self._cancellable and self._task is not None:
            self._cancellable = False
            self._task.cancel()

    async def _run(self) -> None:
        terminal = None
        try:
            terminal = await self._outcome()
            if terminal is not None:
                if not await self._close(terminal):
                    # Whoever took it over settles it.
                    terminal = None
            else:
                self._leave_alone()
                if self._handed_over:
                    await self._logs.let_go(self._writer)
        finally:
            if self._source is not None:
                self._source.close()
            await self._admission.close(None if terminal is None else Outcome(terminal, self._tally.busy_s))
            # It would hold us, as we hold it, until garbage is looked for: and with us the whole log.
            self._admission.on_stop = lambda error: None
            if terminal is not None:
                await self._caching.ended(self._writer.log)
                self._count()

    async def _outcome(self) -> Terminal | None:
        """Run to the end, whichever it is; None when another writer has the log, or is to have it."""
        try:
            await self._work()
            return Finished(self._tally.reason, self._tally.usage, self._tally.timings)
        except EngineError as error:
            return self._failed(from_engine(error))
        except HearthError as error:
            return self._failed(error)
        except Fenced:
            _log.info("%s was taken over by another writer", self.generation.id)
            return None
        except asyncio.CancelledError:
            if self._handed_over or self._taken_away:
                return None
            why = self._stopped or "shutdown"
            return self._failed(why) if isinstance(why, HearthError) else self._canceled(why)
        except Exception:  # noqa: BLE001
            # The border of the run: whatever broke, the readers must be told, and none of its details.
            _log.exception("%s broke", self.generation.id)
            return self._failed(HearthError("internal_error"))
        finally:
            self._cancellable = False

    async def _work(self) -> None:
        if self._inherited:
            await self._take_over()
        if self._stopped is not None or self._handed_over:
            raise asyncio.CancelledError
        self._cancellable = True
        if self._source is not None:
            try:
                await self._transcript.of_run(self._source.events)
                return
            except HearthError as error:
                await self._stand_alone(error)
        async with aclosing(self._admission.turn()) as waiting:
            async for told in waiting:
                await self._writer.append(Progress("queued", told))
        await self._answer(Failover(self._pool.served(self.generation.model)))

    async def _answer(self, failover: Failover) -> None:
        """Have engines answer until the answer is whole."""
        model, prompt = self.generation.model, self.generation.prompt
        measured = measure(prompt, None)
        tokens = measured.prompt_likely + min(measured.output_most or _LONG, _LONG)
        while self._tally.choices_left:
            await self._reach(failover)
            seat = self._pool.pick(model, prompt, failover.avoid)
            if seat is None:
                continue
            if (why := self._unfit(seat)) is not None:
                failover.unfit(seat, why)
                continue
            boot = seat.boots
            try:
                with seat.holding(tokens) as hold:
                    await self._pump(seat, hold)
            except EngineError as error:
                await self._survive(failover, seat, boot, error)
        failover.answered()

    def _unfit(self, seat: Seat) -> EngineError | None:
        """Why the engine may not answer: it is of another version than was asked for, or than began the answer."""
        version = seat.engine.traits.version
        asked = self.generation.versions
        if asked and version not in (None, *asked):
            told = "The model's files were changed: what would run now is another version than the one that was asked."
            return EngineError("prediction_failed", f"{told} Ask again for the new one.")
        if self._tally.first_token is not None and self._version not in (None, version):
            return EngineError("cannot_continue", "No engine is left that would have given the same answer.")
        return None

    async def _take_over(self) -> None:
        """Go on with a log that somebody else began."""
        self._metrics.took_over(self.generation.model, "replica")
        begun = any(choice.tokens for choice in self._add_up())
        # When that was is known to the one who is gone.
        self._tally.first_token = math.nan if begun else None
        if self._writer.cancelled:
            self._stopped = "caller"
            return
        if self.generation.grace == 0 and not self._writer.log.readers and not await self._logs.followed(self._writer):
            # Its one reader was connected to the replica that is gone; should that one be back, it has to ask again.
            self._stopped = HearthError("cannot_continue")
            return
        if not self._tally.choices_left:
            return
        if self.generation.model not in self._pool.models:
            raise HearthError("cannot_continue", f"No replica serves {self.generation.model} any more.")
        await self._writer.append(Note("takeover", "The replica that answered is gone; another goes on from here."))

    async def _stand_alone(self, error: HearthError) -> None:
        """Have an engine go on for this one alone, if the run that it followed is gone. Raises the error if not."""
        if error.code not in _GONE:
            raise error
        self._metrics.took_over(self.generation.model, "run")
        self._admission = await self._gate.inherit(self.generation)
        self._admission.on_stop = self.fail
        await self._writer.append(Note("takeover", "The run that was followed is gone; an engine goes on from here."))

    async def _survive(self, failover: Failover, seat: Seat, boot: int, error: EngineError) -> None:
        """Have an engine go on after that one failed. Raises the error that none can."""
        begun = self._tally.first_token is not None
        failover.failed(seat, boot, error, seat if begun else None)
        self._asked = True
        self._metrics.took_over(self.generation.model, "engine")
        how = "The engine died; it is started again and" if seat.alone else "The engine failed; another one"
        await self._writer.append(Note("takeover", f"{how} goes on from here."))

    async def _reach(self, failover: Failover) -> None:
        """Wait until an engine may be asked that has not failed this run, telling the readers each stage."""
        model = self.generation.model
        if self._pool.is_up(model, failover.avoid):
            return
        began = self._clock.steady()
        try:
            async with aclosing(retold(self._pool.reach(model, failover.avoid), self._retell_s)) as stages:
                async for stage in stages:
                    if self.generation.state is State.QUEUED:
                        self.generation.move(State.BOOTING)
                    await self._writer.append(Progress("booting", stage, self._pool.outlook(model).ready_s))
        except EngineError as error:
            raise failover.end(error) from None
        finally:
            self._metrics.engines.waited(model, self._clock.steady() - began)

    def _add_up(self) -> tuple[Said, ...]:
        """Count what the log holds; what an engine has to know of it. Raises EngineError `cannot_continue`."""
        tally = self._tally
        said, accepted, tally.tokens, tally.reason, outputs = so_far(self._writer.log)
        if outputs and not all(choice.finished for choice in said):
            raise EngineError("cannot_continue", "What a predictor gave cannot be taken back, nor gone on from.")
        tally.choices_left = sum(not choice.finished for choice in said)
        if accepted is not None:
            tally.took(accepted)
        return said

    async def _pump(self, seat: Seat, hold: Hold) -> None:
        """Carry every chunk from the engine into the log. Raises EngineError."""
        fresh = not self._asked and not self._inherited and self._source is None
        said = () if fresh else self._add_up()
        if not any(choice.tokens or choice.text for choice in said):
            said = ()
        self._version = seat.engine.traits.version
        async with self._silence.bounded(self._clock.steady()):
            with self._transcript.of_engine(hold) as take:
                await pour(seat.engine, self.generation.id, self.generation.prompt, said, take)

    async def _close(self, terminal: Terminal) -> bool:
        """Write the end; whether it is the one that stands."""
        self._leave_alone()
        final = {Finished: State.FINISHED, Failed: State.FAILED, Canceled: State.CANCELED}[type(terminal)]
        self.generation.move(final)
        try:
            await self._writer.append(terminal)
        except Fenced:
            _log.info("%s was taken over before its end was written", self.generation.id)
            return False
        return True

    def _count(self) -> None:
        """Have it in the figures, once it is settled."""
        engine = self._source is None or self._tally.busy_s > 0
        prompt_tokens, tokens = (self._tally.prompt_tokens, self._tally.tokens) if engine else (0, 0)
        if self._counted or engine:
            self._metrics.ended(
                self.generation.model, self.generation.state, prompt_tokens, tokens, self._tally.elapsed
            )

    def _leave_alone(self) -> None:
        self._abandonment.end()
        self._writer.on_cancel = self._writer.on_fenced = lambda: None

    def _failed(self, error: HearthError) -> Failed:
        told = self._tally.usage, self._tally.timings, error.retry_after_s
        return Failed(error.code, error.message, error.parameter, *told)

    def _canceled(self, by: Reason) -> Canceled:
        return Canceled(by, self._tally.usage, self._tally.timings)
