"""The engines behind model names: booted when needed, watched while they run, chosen for each prompt."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import aclosing, suppress
from itertools import groupby
from typing import Final

from engines.affinity import conversation
from engines.base import Prompt, State
from engines.board import Board, MemoryBoard
from engines.choice import Candidate, choose
from engines.errors import EngineError
from engines.history import QUARTER_S
from engines.lease import Lease, Lost
from engines.life import Life
from engines.model import Model
from engines.outlook import Outlook
from engines.rooms import Rooms, acquaint
from engines.seat import Place, Seat

_NOTICE_S: Final = 5.0
"""How long it may take to see that an engine is dead after it was said to be."""
_PROBE_S: Final = 10.0
"""How long callers wait for the one who finds out whether an engine is well again."""
_BEAT_S: Final = 30.0
_DRAIN_S: Final = 30.0
"""How long what an engine still answers may keep it from being stopped."""

Avoid = Mapping[Seat, int]
"""Engines that failed a caller, each with its boot that did: that one is not asked again."""

_log = logging.getLogger(__name__)


class Pool:
    """All engines of this server, by model name. Owns their boots and their watches.

    `kept` tells whether an engine is in its active hours: none goes cold then to make room for another one.
    """

    def __init__(
        self,
        places: Iterable[Place],
        clock: Callable[[], float],
        boot_deadline_s: float = 900.0,
        *,
        wall: Callable[[], float] = time.time,
        board: Board | None = None,
        kept: Callable[[Seat], bool] = lambda seat: False,
        roaming: Collection[str] = (),
    ) -> None:
        """`roaming` are models whose conversations are kept to no engine."""
        seats = [Seat(place, clock, wall) for place in places]
        self.seats: Mapping[str, Seat] = {seat.id: seat for seat in seats}
        """Each engine by its name in this process."""
        named = groupby(sorted(seats, key=lambda seat: seat.model), key=lambda seat: seat.model)
        made = {name: Model(name, list(group)) for name, group in named}
        self.models: Mapping[str, Model] = {seat.model: made[seat.model] for seat in seats}
        """In the order in which they were named."""
        self.arrivals: Counter[tuple[str, int]] = Counter()
        """Who came since that was last taken down: by model, and by the start of the quarter hour (unix seconds)."""
        self._roaming = frozenset(roaming)
        self._clock = clock
        self._wall = wall
        self._boot_deadline_s = boot_deadline_s
        acquaint(seats)
        self._rooms = Rooms(kept, self.rest, wall)
        self._board = board or MemoryBoard("here")
        self._life = Life(self._board, self._rooms, clock, boot_deadline_s)
        self._again: set[Seat] = set()
        """Engines that are being stopped, and then wanted again."""
        self._closing = False

    def warm(self, model: str) -> None:
        """Begin to boot every engine of a model that is cold or broken; harmless otherwise. Returns at once."""
        for seat in self.models[model].seats:
            self.boot(seat)

    def boot(self, seat: Seat) -> None:
        """Begin to boot an engine that is cold or broken; one that is being stopped, when it is. Returns at once."""
        if self._closing:
            return
        if seat.state is State.DRAINING:
            seat.cooled_at = 0.0
            self._again.add(seat)
        elif not seat.lives:
            seat.cooled_at = 0.0
            self._life.begin(seat)

    def outlook(self, model: str) -> Outlook:
        """When the model will likely be warm."""
        return self.models[model].best.outlook

    async def cool(self, model: str, drain_s: float = _DRAIN_S, *, leave: Collection[Seat] = ()) -> None:
        """Stop every engine of a model, as somebody wants it, and wait until they are gone.

        What they answer may end within that time. Those that another replica stops are only left.
        """
        seats = self.models[model].seats
        for seat in seats:
            seat.cooled_at = seat.stopped_at = self._wall()
        await asyncio.gather(*(self.rest(seat, drain_s, leave=seat in leave) for seat in seats))

    async def rest(self, seat: Seat, drain_s: float = _DRAIN_S, *, leave: bool = False) -> None:
        """Stop an engine and wait until it is gone, or only `leave` it, where another replica stops it."""
        if not seat.lives:
            return
        self._again.discard(seat)
        if not leave:
            seat.stopped_at = self._wall()
        if seat.shared is None or leave:
            await self._end(seat, drain_s, leave=leave)
        else:
            # Nobody else starts it, or joins it, before it is gone.
            with suppress(Lost):
                async with Lease(self._board, seat.shared, "boot").held(lambda: None):
                    await self._end(seat, drain_s, leave=False)
        if seat in self._again:
            self._again.discard(seat)
            self.boot(seat)

    async def _end(self, seat: Seat, drain_s: float, *, leave: bool) -> None:
        if seat.state in (State.WARM, State.DRAINING) and drain_s:
            seat.tell(State.DRAINING, "stopping")
            await self._drain(seat, drain_s, alone=leave)
        await self._life.end(seat, leave=leave)

    async def beat(self, seat: Seat, deadline_s: float = _BEAT_S) -> None:
        """Have a warm engine show that it still can. Raises EngineError."""
        began = self._clock()
        seat.beats += 1
        try:
            async with asyncio.timeout(deadline_s):
                await seat.engine.beat()
        except TimeoutError:
            raise EngineError("engine_stalled", f"No heartbeat after {deadline_s:g} s.") from None
        finally:
            seat.beat_s += self._clock() - began
        seat.beat_at = self._wall()

    def came(self, model: str) -> None:
        """Count somebody who wants an answer of an engine."""
        self.arrivals[model, int(self._wall() // QUARTER_S) * QUARTER_S] += 1

    async def _drain(self, seat: Seat, seconds: float, *, alone: bool) -> None:
        """Wait until nobody is answered by it. Whoever stops it waits until the other replicas have left it, too."""
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                while (seat.held or seat.busy_elsewhere or (seat.warm_elsewhere and not alone)) and seat.lives:
                    await seat.change()
        except TimeoutError:
            _log.warning("%s is stopped while it still answers %d", seat.id, seat.held)

    async def reach(self, model: str, avoid: Avoid | None = None) -> AsyncGenerator[str]:
        """Wait until an engine of the model may be asked, booting one where none is warm; yields the stage at once and
        whenever it changes.

        Whoever was failed by an engine names that boot of it, which is not asked again: it may be taken for warm a
        moment longer. Raises EngineError: `boot_failed` when no engine can be booted, or takes too long;
        `engine_unreachable` when all have failed so often that they are left alone for a while.
        """
        if self.is_up(model, avoid):
            return
        waiting = _Waiting(self.models[model], avoid or {})
        waiting.model.waiting += 1
        try:
            async with aclosing(self._wait(waiting)) as stages:
                async for stage in stages:
                    yield stage
        finally:
            waiting.model.waiting -= 1

    async def _wait(self, waiting: _Waiting) -> AsyncGenerator[str]:
        model = waiting.model.name
        deadline = asyncio.get_running_loop().time() + self._boot_deadline_s
        while not waiting.ready():
            # Taken before the stage is told: the change may come while the listener is busy with it.
            changed = waiting.model.changed
            stale = not waiting.hopeful()
            if stale:
                seat = waiting.next()
                if seat is not None:
                    self.boot(seat)
                    if self._closing:
                        raise EngineError("boot_failed", f"{model} was stopped before it was warm.")
                    continue
                waiting.check()
            else:
                yield waiting.stage
            try:
                async with asyncio.timeout(_NOTICE_S) if stale else asyncio.timeout_at(waiting.until(deadline)):
                    await changed.wait()
            except TimeoutError:
                if waiting.is_probing:
                    waiting.check()
                if stale:
                    raise EngineError("engine_died", f"{model} answers no more, and does not end either.") from None
                raise EngineError("boot_failed", f"{model} was not warm after {self._boot_deadline_s:.0f} s.") from None

    def is_up(self, model: str, avoid: Avoid | None = None) -> bool:
        """Whether an engine of the model may be asked now."""
        return bool(_able(self.models[model], avoid or {}))

    def pick(self, model: str, prompt: Prompt, avoid: Avoid | None = None) -> Seat | None:
        """The engine that a prompt is to go to now; None where none may be asked."""
        able = _able(self.models[model], avoid or {})
        if len(able) < 2:
            return able[0] if able else None
        # By the name that all replicas know it by, so that they agree on whose conversation it is.
        named = {seat.shared or seat.id: seat for seat in able}
        candidates = [Candidate(name, seat.outstanding) for name, seat in named.items()]
        return named[choose(candidates, None if model in self._roaming else conversation(prompt))]

    async def close(self) -> None:
        """Stop every engine and wait until all are gone."""
        self._closing = True
        await asyncio.gather(*(self._life.end(seat, leave=True) for seat in self.seats.values()))
        await self._rooms.close()
        await asyncio.gather(*(seat.engine.close() for seat in self.seats.values()))


def _able(model: Model, avoid: Avoid) -> list[Seat]:
    """The engines that may be asked now."""
    return [
        seat for seat in model.seats if seat.state is State.WARM and avoid.get(seat) != seat.boots and not seat.wait_s
    ]


class _Waiting:
    """One caller's wait for a model."""

    def __init__(self, model: Model, avoid: Avoid) -> None:
        self.model = model
        self._avoid = avoid
        self._seen: set[Seat] = set()
        """Engines whose boot was waited for."""
        self.is_probing = False
        """Whether it is another caller's probe that is waited for."""
        self._probed_by: float | None = None

    def ready(self) -> bool:
        """Whether an engine may be asked."""
        return bool(_able(self.model, self._avoid))

    def hopeful(self) -> bool:
        """Whether one may become ready by itself."""
        booting = [seat for seat in self.model.seats if seat.state is State.BOOTING]
        self._seen.update(booting)
        self.is_probing = not booting and any(seat.is_probed for seat in self._left_alone)
        return (
            bool(booting)
            or self.is_probing
            or any(seat.state is State.DRAINING for seat in self.model.seats if seat not in self._seen)
        )

    @property
    def stage(self) -> str:
        """What is waited for."""
        return "an engine that failed is tried again" if self.is_probing else self.model.stage

    def until(self, deadline: float) -> float:
        """How long to wait for that, where a boot may take until a deadline (the loop's time)."""
        if not self.is_probing:
            return deadline
        self._probed_by = self._probed_by or asyncio.get_running_loop().time() + _PROBE_S
        return min(deadline, self._probed_by)

    @property
    def _left_alone(self) -> list[Seat]:
        warm = [seat for seat in self.model.seats if seat.state is State.WARM]
        return [seat for seat in warm if self._avoid.get(seat) != seat.boots]

    def next(self) -> Seat | None:
        """The one to boot: cold before broken, the quickest first.

        None whose boot was waited for in vain, nor one that somebody had stopped under this very caller.
        """
        resting = [seat for seat in self.model.seats if not seat.lives and seat not in self._seen | self._stopped]
        return min(resting, key=lambda seat: (seat.state is State.BROKEN, seat.boot_estimate_s or 0.0), default=None)

    @property
    def _stopped(self) -> set[Seat]:
        return {seat for seat in self._avoid if seat.cooled_at}

    def check(self) -> None:
        """Raises EngineError when there is nothing to wait for but that a dead engine is seen to be dead."""
        warm = [seat for seat in self.model.seats if seat.state is State.WARM]
        if self._left_alone:
            raise _left_alone(self.model.name, min(self._left_alone, key=lambda seat: seat.wait_s))
        fault = next((seat.error for seat in self.model.seats if seat in self._seen and seat.error), None)
        if self._stopped and not warm:
            raise EngineError("engine_died", f"{self.model.name} was stopped while it answered.")
        if fault or not warm:
            raise fault or EngineError("boot_failed", f"{self.model.name} was stopped before it was warm.")


def _left_alone(model: str, seat: Seat) -> EngineError:
    seconds = math.ceil(seat.wait_s)
    if seat.breaker.busy:
        told = f"{model} has as much to do as it takes, and asked to be left alone for {seconds} s."
        return EngineError("engine_busy", told, retry_after_s=seat.wait_s)
    told = f"{model} has failed again and again, and is left alone for {seconds} s."
    return EngineError("engine_unreachable", told, retry_after_s=seat.wait_s)
