"""The engines behind model names: booted when needed, watched while they run, chosen for each prompt."""

from __future__ import annotations

import asyncio
import logging
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
from engines.waiting import Avoid, Waiting, able

_NOTICE_S: Final = 5.0
"""How long it may take to see that an engine is dead after it was said to be."""
_BEAT_S: Final = 30.0
_DRAIN_S: Final = 30.0
"""How long what an engine still answers may keep it from being stopped."""

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
        # Both are replaced as a whole when they grow: whoever goes through one may be interrupted.
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
        if self._closing or seat.is_barred or seat.id not in self.seats:
            return
        if seat.state is State.DRAINING:
            seat.cooled_at = 0.0
            self._again.add(seat)
        elif not seat.lives:
            seat.cooled_at = 0.0
            self._life.begin(seat)

    def add(self, place: Place) -> Seat:
        """Serve one more engine, which is cold. Raises ValueError where there is one of that name."""
        if place.id in self.seats:
            raise ValueError(f"There is an engine {place.id} already.")
        seat = Seat(place, self._clock, self._wall)
        self.seats = {**self.seats, seat.id: seat}
        if seat.model in self.models:
            self.models[seat.model].add(seat)
        else:
            self.models = {**self.models, seat.model: Model(seat.model, [seat])}
        acquaint(self.seats.values())
        return seat

    async def remove(self, model: str, drain_s: float = _DRAIN_S) -> None:
        """Serve a model no more, and wait until its engines are gone; harmless where it is not served.

        What they answer may end within that time.
        """
        gone = self.models.get(model)
        if gone is None:
            return
        self.models = {name: each for name, each in self.models.items() if name != model}
        self.seats = {id: seat for id, seat in self.seats.items() if seat.model != model}
        acquaint(self.seats.values())
        await asyncio.gather(*(self.rest(seat, drain_s) for seat in gone.seats))
        await asyncio.gather(*(seat.engine.close() for seat in gone.seats))

    def bound(self, model: str, least: int, most: int | None) -> None:
        """Have so many engines of a model kept warm, and no more than so many booted (None: all)."""
        for index, seat in enumerate(self.models[model].seats):
            seat.is_pinned, seat.is_barred = index < least, most is not None and index >= most

    def served(self, model: str) -> Model:
        """The model of that name. Raises EngineError `boot_failed` where it is served no more."""
        served = self.models.get(model)
        if served is None:
            raise EngineError("boot_failed", f"{model} is served no more.")
        return served

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
        waiting = Waiting(self.served(model), avoid or {})
        waiting.model.waiting += 1
        try:
            async with aclosing(self._wait(waiting)) as stages:
                async for stage in stages:
                    yield stage
        finally:
            waiting.model.waiting -= 1

    async def _wait(self, waiting: Waiting) -> AsyncGenerator[str]:
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
                    if self._closing or seat.id not in self.seats:
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
        return bool(able(self.served(model), avoid or {}))

    def pick(self, model: str, prompt: Prompt, avoid: Avoid | None = None) -> Seat | None:
        """The engine that a prompt is to go to now; None where none may be asked."""
        seats = able(self.served(model), avoid or {})
        if len(seats) < 2:
            return seats[0] if seats else None
        # By the name that all replicas know it by, so that they agree on whose conversation it is.
        named = {seat.shared or seat.id: seat for seat in seats}
        candidates = [Candidate(name, seat.outstanding) for name, seat in named.items()]
        return named[choose(candidates, None if model in self._roaming else conversation(prompt))]

    async def close(self) -> None:
        """Stop every engine and wait until all are gone."""
        self._closing = True
        await asyncio.gather(*(self._life.end(seat, leave=True) for seat in self.seats.values()))
        await self._rooms.close()
        await asyncio.gather(*(seat.engine.close() for seat in self.seats.values()))
