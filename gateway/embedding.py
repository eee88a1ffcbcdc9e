"""Texts into vectors: a run without a log, let in and settled as every other one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Final, NamedTuple

import msgspec

from engines.base import Embeddings, Prompt
from engines.base import State as Warmth
from engines.errors import EngineError
from engines.model import Model
from engines.pool import Pool
from engines.seat import Hold, Seat
from gateway.admission import Admission, Gate, Outcome
from gateway.clock import Clock
from gateway.coldness import send_away
from gateway.errors import TABLE, HearthError, from_engine
from gateway.events import Canceled, Failed, Finished, Terminal, Timings, Usage
from gateway.failover import Failover
from gateway.generation import Generation, State, new_id
from gateway.keys import Key
from gateway.measure import measure
from gateway.metrics import Metrics

_SURFACE: Final = "embeddings"


class Embedded(NamedTuple):
    """What one call is given, and the headers of its answer."""

    embeddings: Embeddings
    headers: Mapping[str, str]


class Embedding:
    """The door to the models that embed. A call is over in one piece, so it has no log, and nobody joins it."""

    def __init__(self, pool: Pool, gate: Gate, clock: Clock, metrics: Metrics, silence_s: float = 120.0) -> None:
        self._pool = pool
        self._gate = gate
        self._clock = clock
        self._metrics = metrics
        self._silence_s = silence_s
        """An engine that has given nothing for so long is held to be broken."""

    async def embed(self, model: Model, prompt: Prompt, key: Key, wait_s: int | None = None) -> Embedded:
        """A vector for each text of the prompt. A cold model is booted first, if that likely takes at most `wait_s`.

        No other model stands in: its vectors would be of another space. Raises HearthError: `invalid_request`,
        `context_length_exceeded`, what the gate raises, `model_cold`, `boot_failed`, `engine_died`, `engine_failed`,
        `engine_stalled`.
        """
        if model.traits.embeds is False:
            raise HearthError("invalid_request", f"{model.name} answers, and makes no embeddings.", parameter="model")
        headers = await self._gate.enter(key, model.name)
        send_away(self._pool, model.name, wait_s, self._metrics)
        made = await self._admitted(model, prompt, key)
        return Embedded(made.embeddings, {**headers, **made.headers})

    async def at_once(self, model: Model, text: str, key: Key) -> bytes | None:
        """The vector of one text, where the model is warm; a cold one begins to boot, and there is none yet.

        For Hearth's own use on the key's behalf: it pays for it, and it is no request of its own. Whatever keeps the
        engine from it, nothing is raised: there is no vector then.
        """
        if model.state is Warmth.COLD:
            self._pool.warm(model.name)
        if model.state is not Warmth.WARM:
            return None
        try:
            made = await self._admitted(model, Prompt(texts=(text,)), key)
        except HearthError:
            return None
        return made.embeddings.vectors[0]

    async def _admitted(self, model: Model, prompt: Prompt, key: Key) -> Embedded:
        """Reserve, run, and settle, whatever becomes of it."""
        now, began = self._clock.wall(), self._clock.steady()
        # Nothing is generated, so that nothing has to be reserved for it.
        measured = msgspec.structs.replace(prompt, parameters={**prompt.parameters, "max_tokens": 0})
        run = Generation(
            id=new_id("emb"), owner=key.namespace, model=model.name, prompt=measured, created=now, key=key.id
        )
        worked = _Stopwatch(self._clock)
        admission = await self._gate.admit(run, key)
        self._metrics.started(model.name, _SURFACE)
        self._pool.came(model.name)
        terminal: Terminal = Canceled("caller", Usage(), Timings())
        state = State.CANCELED
        try:
            async with _stoppable(admission):
                await self._turn(admission)
                embeddings = await self._run(model, run.id, prompt, worked)
            terminal = Finished("stop", Usage(embeddings.prompt_tokens), Timings())
            state = State.FINISHED
            return Embedded(embeddings, admission.headers)
        except HearthError as error:
            terminal = Failed(error.code, error.message, error.parameter, Usage(), Timings())
            state = State.FAILED
            raise
        finally:
            elapsed = self._clock.steady() - began
            self._metrics.ended(model.name, state, terminal.usage.prompt_tokens, 0, elapsed)
            await admission.close(Outcome(terminal, worked.seconds))

    async def _turn(self, admission: Admission) -> None:
        async with aclosing(admission.turn()) as waiting:
            async for _ in waiting:
                pass

    async def _run(self, model: Model, id: str, prompt: Prompt, worked: _Stopwatch) -> Embeddings:
        """Raises HearthError."""
        # It says nothing until it has all: whoever died under it has told nobody anything. Once, at most, for it may
        # be what kills them.
        failover = Failover(model, most_deaths=1)
        while True:
            await self._reach(model, failover)
            seat = self._pool.pick(model.name, prompt, failover.avoid)
            if seat is None:
                continue
            boot = seat.boots
            try:
                with seat.holding(measure(prompt, None).prompt_likely) as hold, worked:
                    embeddings = await self._ask(seat, hold, id, prompt)
                failover.answered()
                return embeddings
            except EngineError as error:
                self._go_on(failover, seat, boot, error)

    async def _reach(self, model: Model, failover: Failover) -> None:
        """Raises HearthError."""
        if self._pool.is_up(model.name, failover.avoid):
            return
        began = self._clock.steady()
        try:
            async with aclosing(self._pool.reach(model.name, failover.avoid)) as stages:
                async for _ in stages:
                    pass
        except EngineError as error:
            raise from_engine(failover.end(error)) from error
        finally:
            self._metrics.engines.waited(model.name, self._clock.steady() - began)

    async def _ask(self, seat: Seat, hold: Hold, id: str, prompt: Prompt) -> Embeddings:
        try:
            async with asyncio.timeout(self._silence_s):
                embeddings = await seat.engine.embed(id, prompt)
        except TimeoutError:
            raise EngineError("engine_stalled", TABLE["engine_stalled"].sentence) from None
        hold.heard(self._clock.steady(), embeddings.prompt_tokens)
        return embeddings

    @staticmethod
    def _go_on(failover: Failover, seat: Seat, boot: int, error: EngineError) -> None:
        try:
            failover.failed(seat, boot, error)
        except EngineError as last:
            raise from_engine(last) from last


class _Stopwatch:
    """For how many seconds an engine has worked."""

    def __init__(self, clock: Clock) -> None:
        self.seconds = 0.0
        self._clock = clock
        self._since = 0.0

    def __enter__(self) -> None:
        self._since = self._clock.steady()

    def __exit__(self, *_: object) -> None:
        self.seconds += self._clock.steady() - self._since


@asynccontextmanager
async def _stoppable(admission: Admission) -> AsyncGenerator[None]:
    """Run the block until it ends, or until the admission says that it may not go on. Raises that HearthError."""
    task = asyncio.current_task()
    assert task is not None
    why: HearthError | None = None

    def stop(error: HearthError) -> None:
        nonlocal why
        if why is None:
            why = error
            task.cancel()

    admission.on_stop = stop
    try:
        yield
    except asyncio.CancelledError:
        if why is None:
            raise
        task.uncancel()
        raise why from None
    finally:
        admission.on_stop = lambda error: None
