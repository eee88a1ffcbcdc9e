"""Start, follow, get, cancel: all that a surface may call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from engines.base import Prompt
from engines.model import Model
from engines.pool import Pool
from gateway import capability
from gateway.admission import Gate
from gateway.answering import Answering, Manner
from gateway.caching import Caching
from gateway.call import Call
from gateway.claims.base import Claims
from gateway.clock import Clock
from gateway.coldness import StandIns
from gateway.errors import HearthError
from gateway.events import Failed, Opened
from gateway.generation import Generation, new_id
from gateway.idempotency import Idempotency
from gateway.keys import Key
from gateway.likeness import Likeness
from gateway.log.base import Logs, Position
from gateway.log.local import Log, Reader
from gateway.metrics import Metrics
from gateway.readers import Readers
from gateway.runner import Parts
from gateway.runs import Runs
from gateway.sharing import Found, Sharing
from gateway.silence import Limits
from gateway.suggest import nearest, shown
from gateway.turns import Turns
from gateway.wire import cache_control, failure
from gateway.wire.cache_control import Control
from gateway.wire.prefer import PATIENT, Patience

_log = logging.getLogger(__name__)


class Deadlines(NamedTuple):
    """Seconds after which something silent is held to be broken, and how much may run at once."""

    engine_silence_s: float = 120.0
    """No token for so long from an engine that has begun to answer: another goes on, or the generation fails."""
    first_token_s: float = 120.0
    """No token for so long from an engine that was asked: the same."""
    total_s: float | None = None
    """A generation may take so long in all."""
    predictor_s: float = 1800.0
    """A predictor may run for so long; it may be silent all the while."""
    reader_stall_s: float = 30.0
    """One write under way for so long: the reader is cut."""
    reader_lag_bytes: int = 1 << 20
    """A reader who is so far behind is cut after a tenth of that time."""
    watch_s: float = 1.0
    """How often the watch looks."""
    cancel_s: float = 20.0
    """A generation that runs elsewhere is stopped in that time, or the caller is told to try again."""
    retry_s: float = 30.0
    """A generation with an idempotency key goes on unread for so long: a retry may be on its way."""
    running: int = 4096
    """Generations at once."""
    retell_s: float = 15.0
    """Whoever waits for a boot is told so often how long it will likely take."""


class Terms(NamedTuple):
    """On what terms a generation is begun, beside those that most have; see Generation."""

    asked: dict[str, Any] | None = None
    kept_s: float | None = None
    deadline: float | None = None
    versions: tuple[str, ...] = ()


USUAL: Final = Terms()


class Started(NamedTuple):
    """A call, and what answers it."""

    call: Call
    found: Found


class Gateway:
    """The one door between the surfaces and everything else. Owns the runners and the watch over them."""

    def __init__(
        self,
        pool: Pool,
        logs: Logs,
        claims: Claims,
        caching: Caching,
        gate: Gate,
        clock: Clock,
        metrics: Metrics,
        deadlines: Deadlines,
        likeness: Likeness | None = None,
        fallbacks: Mapping[str, str] | None = None,
    ) -> None:
        self.pool = pool
        self.caching = caching
        self._gate = gate
        self._logs = logs
        self._idempotency = Idempotency(claims, logs)
        self._clock = clock
        self._metrics = metrics
        self._deadlines = deadlines
        self._stand_ins = StandIns(pool, fallbacks or {})
        parts = Parts(logs, pool, caching, gate, clock, metrics, deadlines.retell_s)
        self._runs = Runs(parts, deadlines.running)
        self._readers = Readers(deadlines.reader_stall_s, deadlines.reader_lag_bytes, metrics)
        self._sharing = Sharing(caching, logs, gate, self._readers)
        self._answering = Answering(pool, caching, self._sharing, self._runs, likeness, clock, metrics)
        self.turns = Turns()
        """In which readers write."""
        self.reading = self._readers.reading
        self.join, self.leave = self._readers.join, self._readers.leave
        self._watch: asyncio.Task[None] | None = None
        self.draining = asyncio.Event()
        """Set when the server is going down: surfaces end their streams with a resumable `draining`."""
        self.on_draining: set[Callable[[], None]] = set()
        """Called when `draining` is set: for connections that wait for more than one log."""

    def models(self, key: Key) -> list[Model]:
        """The models that the key may ask."""
        return [model for name, model in self.pool.models.items() if key.may_ask(name)]

    def model(self, name: str, key: Key) -> Model:
        """The model of that name. Raises HearthError `unknown_model`, also for one that the key may not ask."""
        model = self.pool.models.get(name)
        if model is None or not key.may_ask(name):
            known = [model.name for model in self.models(key)]
            raise HearthError(
                "unknown_model",
                f"No model {shown(name)} is served here{nearest(name, known)}; GET /v1/models lists them.",
                parameter="model",
            )
        return model

    async def start(
        self,
        model: str,
        prompt: Prompt,
        *,
        key: Key,
        surface: str,
        grace: float | None = 0.0,
        addressed: bool = False,
        whole: bool = False,
        idempotency_key: str | None = None,
        control: Control = cache_control.PLAIN,
        patience: Patience = PATIENT,
        terms: Terms = USUAL,
    ) -> Started:
        """Begin to answer a prompt, or find the log that answers it: an earlier call's, a kept one, another one's.

        `grace` is for how many seconds it goes on with nobody reading (None: to its end). A call that is `addressed`
        by its id later (to resume, to stop) has a log of its own, whoever answers. One that wants the `whole` answer
        is told nothing of it before its end. Its `patience` is for a model that is not warm; see Terms for `terms`.
        Raises HearthError `unknown_model`, `invalid_request`, `overloaded`, `draining`, what the gate raises,
        `model_cold` and `not_cached`; with an idempotency key `idempotency_mismatch`, `expired`, `log_unavailable` too.
        """
        asked = self.model(model, key)
        capability.check(model, asked.traits, prompt)
        served = await self._answers(asked, prompt, key, control, patience)
        headers = {**await self._gate.enter(key, served.name), **patience.applied}
        if idempotency_key is not None and grace is not None:
            grace = max(grace, self._deadlines.retry_s)
        now = self._clock.wall()
        generation = Generation(
            id=new_id("gen"),
            owner=key.namespace,
            model=model,
            prompt=prompt,
            created=now,
            grace=grace,
            surface=surface,
            key=key.id,
            asked=terms.asked,
            kept_s=terms.kept_s,
            deadline=terms.deadline,
            versions=terms.versions,
        )
        async with self._idempotency.claimed(idempotency_key, generation, surface) as earlier:
            if earlier is not None:
                self._metrics.replayed(model, surface)
                found = Found(await self.open(earlier.id, key.namespace), "run", None)
            else:
                manner = Manner(addressed or idempotency_key is not None, whole, control, patience.wait_s)
                # Only now: a retry asks the same, whoever answered the first time.
                generation.model = served.name
                found = await self._answering.answer(served, generation, key, manner)
        headers |= found.headers
        if found.told is not None:
            self._metrics.cache(served.name, found.told.how)
            headers |= cache_control.headers(found.told)
        generation = found.log.generation
        if generation.model != model:
            headers |= {"x-model": generation.model, "x-fallback-for": model}
            if earlier is None:
                self._metrics.engines.fell_back(model, generation.model)
        call = Call(
            id=(generation.id if found.own else new_id("gen")).removeprefix("gen_"),
            key=key,
            surface=surface,
            created=generation.created if found.own else now,
            generation=found.run or generation,
            how=found.how,
            headers=headers,
            replayed=earlier is not None,
        )
        return Started(call, found)

    async def _answers(self, asked: Model, prompt: Prompt, key: Key, control: Control, patience: Patience) -> Model:
        """The model that answers: the one that is asked, or its fallback; then the one that is asked begins to boot."""
        stand_in = self._stand_ins.of(asked, prompt, key) if patience.fallback else None
        if stand_in is None or self.closing or await self._answering.kept(asked, prompt, key, control):
            return asked
        self.pool.warm(asked.name)
        return stand_in

    @contextmanager
    def answering(self, started: Started) -> Iterator[Reader]:
        """A reader of what answers a call, as `reading`."""
        call, found = started
        with self._readers.reading(found.log) as reader:
            yield reader
        if found.log.ended and not found.own:
            self._sharing.shared(found, call.key)

    async def owner_of(self, id: str) -> str:
        """The namespace of a generation that runs here. Raises HearthError `unknown_generation`."""
        runner = self._runs.get(id)
        if runner is None:
            raise HearthError("unknown_generation")
        return runner.generation.owner

    async def open(self, id: str, owner: str, after: Position | None = None) -> Log:
        """The log of a generation, at least up to there if it has that much.

        Raises HearthError `unknown_generation`, `expired`, `log_unavailable`.
        """
        return await self._logs.open(id, owner, after)

    async def look(self, id: str, owner: str) -> Log:
        """A generation as it is now, for one look: that makes nobody a reader. Raises as `open`."""
        return await self._logs.look(id, owner)

    async def settle(self, reader: Reader, seconds: float) -> None:
        """Wait until a fresh generation was taken or refused by its engine, or began to wait for a boot.

        So that a refusal is still told by the status. Raises HearthError with what the log says if it was refused;
        returns without a word when nothing was settled in that time.
        """
        deadline = self._clock.steady() + seconds
        seen = reader.log.read(reader.next)
        try:
            while (left := deadline - self._clock.steady()) > 0:
                for event in seen.take():
                    if isinstance(event, Failed):
                        raise failure.of(event)
                    if not isinstance(event, Opened):
                        return
                if seen.log.lost is not None:
                    return
                await seen.wait(left)
        finally:
            seen.close()

    async def cancel(self, id: str, owner: str) -> Generation:
        """Stop a generation, wherever it runs, and wait until that is written; an ended one stays as it is.

        Raises HearthError `unknown_generation`, `expired`, `log_unavailable`, `shared_run`.
        """
        log = await self._logs.open(id, owner)
        if log.generation.shared is not None and not log.ended:
            raise HearthError("shared_run")
        if self._runs.get(id) is not None:
            await self._runs.stop(id)
        elif not log.ended:
            await self._cancel_elsewhere(log)
        return log.generation

    async def _cancel_elsewhere(self, log: Log) -> None:
        with self._readers.reading(log) as reader:
            await self._logs.cancel(log.generation.id)
            try:
                async with asyncio.timeout(self._deadlines.cancel_s):
                    await reader.end()
            except TimeoutError:
                raise HearthError("log_unavailable") from None

    @property
    def closing(self) -> bool:
        """Whether new work is refused because the server is going down."""
        return self._runs.closing

    @property
    def trouble(self) -> str | None:
        """What keeps this replica from doing all it should, in words; None when nothing does."""
        return self._logs.trouble

    @property
    def running(self) -> int:
        """How many generations have not ended."""
        return len(self._runs)

    @property
    def readers(self) -> int:
        """How many readers follow a log now."""
        return len(self._readers)

    def count(self) -> None:
        """Have the metrics show what runs now."""
        states = {name: model.state for name, model in self.pool.models.items()}
        self._metrics.show(
            running=self.running,
            readers=self.readers,
            states=states,
            store=self.trouble is None,
            cache=self.caching.available,
        )
        self._metrics.engines.show(self.pool.seats.values())

    async def begin(self) -> None:
        """Open the store of logs, and start the watch."""
        await self._logs.start()
        self._watch = asyncio.create_task(self._keep_watch(), name="watch")
        self._runs.adopt()

    async def drain(self, seconds: float) -> None:
        """Take no more work, let what runs end within that time; then send readers away resumably.

        What still runs is handed over to another replica, or stopped where there is none.
        """
        if not self.draining.is_set():
            await self._runs.settle(seconds)
        self.draining.set()
        self._readers.wake()
        for told in list(self.on_draining):
            told()
        # They say how to go on before their runs say that they were stopped.
        await self.turns.past()
        await self._runs.part()

    async def close(self) -> None:
        """End the watch, the runners that are left, and every engine."""
        await self.drain(0)
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await self.pool.close()
        await self._gate.close()
        await self.caching.close()
        await self._idempotency.close()
        await self._logs.close()

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(self._deadlines.watch_s)
            try:
                self._readers.cut_stalled()
                waits = self._deadlines
                limits = Limits(waits.first_token_s, waits.engine_silence_s, waits.total_s, waits.predictor_s)
                self._runs.check(self._clock.steady(), limits)
                await self._logs.sweep()
                await self._runs.sweep()
                await self._idempotency.sweep()
                await self.caching.renew(self._runs.generations, self._clock.steady())
                await self._gate.tick()
                # Another process may be asked for what all of them run.
                self.count()
            except Exception:  # noqa: BLE001
                # The watch must outlive whatever one round of it meets.
                _log.exception("a round of the watch broke")
