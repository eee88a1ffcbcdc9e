"""Which log answers a call: one of its own, a kept one, or one made of another's run."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple

import msgspec

from engines.base import Prompt
from engines.model import Model
from engines.pool import Pool
from gateway.caching import Bypass, Caching
from gateway.clock import Clock
from gateway.coldness import send_away
from gateway.errors import HearthError
from gateway.generation import Generation, State, new_id
from gateway.keys import Key
from gateway.likeness import Likeness
from gateway.metrics import Metrics
from gateway.runs import Runs
from gateway.sharing import Found, Sharing
from gateway.wire.cache_control import Control, Told


class Manner(NamedTuple):
    """How a call wants its answer.

    One that is `addressed` by its id later (to resume, to stop) has a log of its own, whoever answers. One that wants
    the `whole` answer is told nothing of it before its end. One with `wait_s` waits for no boot that likely takes
    longer.
    """

    addressed: bool
    whole: bool
    control: Control
    wait_s: int | None = None


class Answering:
    """Finds what answers, or has it begun."""

    def __init__(
        self,
        pool: Pool,
        caching: Caching,
        sharing: Sharing,
        runs: Runs,
        likeness: Likeness | None,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._pool = pool
        self._caching = caching
        self._sharing = sharing
        self._runs = runs
        self._likeness = likeness
        self._clock = clock
        self._metrics = metrics

    async def answer(self, model: Model, generation: Generation, key: Key, manner: Manner) -> Found:
        """The log of this generation, or another one that says the same. Raises HearthError as `Gateway.start`."""
        control = manner.control
        question = self._caching.question(model.name, model.traits, generation.prompt, key, control)
        if isinstance(question, Bypass):
            if control.only_if_cached:
                raise HearthError("not_cached")
            found = await self._begin(generation, key, manner)
            return found._replace(told=Told("BYPASS", why=question.why))

        async def find(run: Generation) -> Found:
            if control.only_if_cached:
                return await self._sharing.find_kept(question, run)
            return await self._sharing.find(question, run, lambda run: self._begin(run, key, manner))

        async def find_like(run: Generation) -> Found:
            if self._likeness is None:
                return await find(run)
            return await self._likeness.find(model, question, run, key, control, self._sharing, lambda: find(run))

        def again() -> Awaitable[Found]:
            return find_like(self._another(generation))

        found = await again()
        if found.how == "join" and found.log.generation.state in (State.QUEUED, State.BOOTING):
            self._send_away(model.name, manner)
        if found.how != "join" and not manner.addressed:
            return found
        # Whoever follows another's run has a log of its own: what befalls that run need not befall this call.
        own = generation if manner.addressed else self._another(generation)
        source = self._sharing.follow(found, key, again, whole=manner.whole)
        log = await self._runs.copy(own, source, lasting=manner.addressed)
        return found._replace(log=log, copied=True, run=None if manner.addressed else found.log.generation)

    async def kept(self, model: Model, prompt: Prompt, key: Key, control: Control) -> bool:
        """Whether a whole answer is kept that would be given: it needs no engine."""
        question = self._caching.question(model.name, model.traits, prompt, key, control)
        entry = None if isinstance(question, Bypass) else await self._caching.look(question)
        return entry is not None and entry.answer is not None

    def _another(self, generation: Generation) -> Generation:
        """One that asks the same, and is kept going by whoever follows it."""
        return msgspec.structs.replace(generation, id=new_id("gen"), created=self._clock.wall(), grace=0.0)

    async def _begin(self, generation: Generation, key: Key, manner: Manner) -> Found:
        self._send_away(generation.model, manner)
        log, admission = await self._runs.begin(generation, key)
        return Found(log, "run", None, admission.headers)

    def _send_away(self, model: str, manner: Manner) -> None:
        # A server that goes down says so instead, and boots nothing any more.
        if not self._runs.closing:
            send_away(self._pool, model, manner.wait_s, self._metrics)
