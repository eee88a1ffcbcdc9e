"""Lets in what the limits of its key and its model allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from gateway.admission import Admission, Spared
from gateway.errors import HearthError
from gateway.generation import Generation
from gateway.keys import Key
from gateway.limits.base import Limiter, Rate, Subject, Unit
from gateway.limits.headers import headers, refusal
from gateway.limits.queue import Queue
from gateway.limits.run import LimitedRun, estimate
from gateway.metrics import Metrics

_SOON_S: Final = 1.0
"""When to come back for a slot of one's own: nobody knows when one ends."""


class KeyLimits(NamedTuple):
    """What a key has that says nothing else; None for no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None


class ModelLimits(NamedTuple):
    """What all keys together have of one model; None for no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    max_queued: int = 256


class LimitGate:
    """See Gate. `models` are those that have limits; `context` gives a model's length, None where it is not known;
    `clock` gives steady seconds.
    """

    def __init__(
        self,
        limiter: Limiter,
        defaults: KeyLimits,
        models: Mapping[str, ModelLimits],
        context: Callable[[str], int | None],
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._limiter = limiter
        self._defaults = defaults
        self._models = models
        self._context = context
        self._clock = clock
        self._metrics = metrics
        self._queues = {
            model: self._queue(model, limits.concurrent, limits.max_queued)
            for model, limits in models.items()
            if limits.concurrent is not None
        }

    async def enter(self, key: Key, model: str) -> Mapping[str, str]:
        return await self._take(self._rates(key, model, "requests"), 1)

    async def admit(self, generation: Generation, key: Key) -> Admission:
        queue = self._queues.get(generation.model)
        run = LimitedRun(self._limiter, generation, estimate(generation, self._context(generation.model)), queue)
        try:
            rates = self._rates(key, generation.model, "tokens")
            run.headers = await self._take(rates, run.estimate)
            run.buckets += [rate.subject for rate in rates]
            await self._take_slot(run, generation, key)
            if queue is not None:
                run.slots.append(Subject("model", generation.model))
                await self._line_up(queue, generation, key)
        except BaseException:
            # Also when whoever asked went away meanwhile.
            await run.settle(0)
            raise
        return run

    async def inherit(self, generation: Generation) -> Admission:
        queue = self._queues.get(generation.model)
        run = LimitedRun(self._limiter, generation, estimate(generation, self._context(generation.model)), queue)
        key, model = Subject("key", generation.key), Subject("model", generation.model)
        # What the key's limits are is not known here; where it has none, nothing is there to take over or to give back.
        run.buckets += [key, model]
        run.slots += [key, model]
        try:
            await self._limiter.hold(key, 0, generation.id)
            if queue is not None and not await self._limiter.hold(model, 0, generation.id):
                await queue.enter(generation.id, generation.key, refuse=False)
        except BaseException:
            # Whoever takes the run over next finds all as it was.
            await run.close(None)
            raise
        return run

    def spared(self, spared: Spared) -> None:
        """An answer that needed no run takes no more than its request."""

    async def tick(self) -> None:
        await self._limiter.renew()

    async def close(self) -> None:
        await self._limiter.close()

    async def _take(self, rates: list[Rate], cost: int) -> Mapping[str, str]:
        """The headers that tell what is left. Raises HearthError `rate_limited`."""
        if not rates:
            return {}
        standings = await self._limiter.take(rates, cost)
        last = max(standings, key=lambda standing: standing.wait_s)
        if last.wait_s > 0:
            self._metrics.limited(f"{last.rate.subject.kind}_{last.rate.unit}")
            raise refusal(last, cost)
        return headers(standings)

    async def _take_slot(self, run: LimitedRun, generation: Generation, key: Key) -> None:
        most = self._limits_of(key).concurrent
        if most is None:
            return
        subject = Subject("key", key.id)
        run.slots.append(subject)
        if not await self._limiter.hold(subject, most, generation.id):
            self._metrics.limited("key_concurrent")
            raise HearthError(
                "rate_limited",
                f"This key may run {most} generations at once, and does. Come back when one has ended.",
                retry_after_s=_SOON_S,
            )

    async def _line_up(self, queue: Queue, generation: Generation, key: Key) -> None:
        try:
            await queue.enter(generation.id, key.id)
        except HearthError:
            self._metrics.limited("model_queue")
            raise

    def _rates(self, key: Key, model: str, unit: Unit) -> list[Rate]:
        """The buckets of such a call: its key's and its model's, where they are limited."""
        of_key, of_model = self._limits_of(key), self._models.get(model, ModelLimits())
        if unit == "requests":
            sizes = of_key.requests_per_minute, of_model.requests_per_minute
        else:
            sizes = of_key.tokens_per_minute, of_model.tokens_per_minute
        subjects = Subject("key", key.id), Subject("model", model)
        return [Rate(subject, unit, size) for subject, size in zip(subjects, sizes, strict=True) if size is not None]

    def _limits_of(self, key: Key) -> KeyLimits:
        own = KeyLimits(key.requests_per_minute, key.tokens_per_minute, key.concurrent)
        return KeyLimits(
            *(default if mine is None else mine for mine, default in zip(own, self._defaults, strict=True))
        )

    def _queue(self, model: str, slots: int, most: int) -> Queue:
        async def hold(generation: str, key: str) -> bool:
            return await self._limiter.hold_in_turn(Subject("model", model), slots, generation, key)

        return Queue(model, most, hold, self._clock, self._metrics)
