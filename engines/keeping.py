"""The keeper's rounds: looks at every engine once a second, and has done what is to be done about its warmth."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from engines.base import State
from engines.board import Away, Board
from engines.errors import EngineError
from engines.keeper import Act, Facts, Plan, Step, decide, pause_s
from engines.learning import Learner
from engines.pool import Pool
from engines.pulse import Pulse
from engines.seat import Seat

_ROUND_S: Final = 1.0
_DOWN_EVERY: Final = 10
"""Rounds from one time that history is written to the next."""
_ALONE: Final = Plan()

_log = logging.getLogger(__name__)


class Told(Protocol):
    """Who counts heartbeats."""

    def beat(self, model: str, seconds: float, *, passed: bool) -> None:
        """One was sent, took so long, and was passed or not."""


class Keeper:
    """Keeps models warm in their hours, and lets them go cold outside them. Owns one task for each thing that it does.

    Of several replicas one keeps a shared engine: whoever has the say goes on for as long as it lives. `plans` are by
    model, and may change between two rounds. `clock` gives steady seconds, `wall` unix seconds.
    """

    def __init__(
        self,
        pool: Pool,
        pulse: Pulse,
        board: Board,
        plans: Mapping[str, Plan],
        clock: Callable[[], float],
        wall: Callable[[], float],
        told: Told,
        learner: Learner | None = None,
    ) -> None:
        self._pool = pool
        self._pulse = pulse
        self._board = board
        self.plans = plans
        self._clock = clock
        self._wall = wall
        self._told = told
        self._learner = learner
        self._failures: dict[Seat, tuple[int, float]] = {}
        """Boots or heartbeats that failed in a row, and when the last one did (unix seconds)."""
        self._busy: dict[Seat, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start the rounds."""
        await self._pulse.begin()
        if self._learner is not None:
            await self._learner.renew()
        self._loop = asyncio.create_task(self._keep(), name="keeper")

    async def close(self) -> None:
        """End the rounds, and what was begun in them."""
        tasks = [task for task in (self._loop, *self._busy.values()) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._pulse.take_down()
        await self._pulse.close()

    async def round(self) -> None:
        """Look at every engine once."""
        if self._learner is not None:
            await self._learner.renew()
        reached = await self._pulse.turn()
        now = self._wall()
        for seat in self._pool.seats.values():
            plan = self.plans.get(seat.model, _ALONE)
            self._count_failures(seat, now)
            step = decide(now, plan, self._facts(seat))
            seat.next = step.at, step.why
            if step.act is None or seat in self._busy:
                continue
            # Who comes is not known while the others cannot be asked: what they may still want is not taken away.
            if not reached and step.act == "cool":
                continue
            if await self._leads(seat, plan):
                self._do(seat, step)

    def next_at(self) -> float:
        """When there is something to be done next, if nobody comes meanwhile (unix seconds)."""
        return min((seat.next[0] for seat in self._pool.seats.values()), default=float("inf"))

    async def _keep(self) -> None:
        count = 0
        while True:
            try:
                await self.round()
                if count % _DOWN_EVERY == 0:
                    await self._pulse.take_down()
            except Exception:  # noqa: BLE001
                # The keeper must outlive whatever one round of it meets.
                _log.exception("a round of the keeper broke")
            count += 1
            await asyncio.sleep(_ROUND_S)

    async def _leads(self, seat: Seat, plan: Plan) -> bool:
        """Whether it is for this replica to do something. For a while longer than a heartbeat takes to come again."""
        if seat.shared is None:
            return True
        try:
            return await self._board.lead(seat.shared, "keep", 1.5 * plan.beat_s)
        except Away:
            # Two heartbeats do less harm than none.
            return True

    def _facts(self, seat: Seat) -> Facts:
        failures, failed_at = self._failures.get(seat, (0, 0.0))
        return Facts(
            state=seat.state,
            since=seat.since,
            heard_at=seat.last_heard,
            asked_at=seat.last_asked,
            beat_at=max([seat.beat_at, *(each.beat_at for each in seat.elsewhere.values())]),
            running=bool(seat.held) or seat.busy_elsewhere,
            boot_s=max(seat.boot_times, default=None),
            failures=failures,
            failed_at=failed_at,
        )

    def _count_failures(self, seat: Seat, now: float) -> None:
        failures, failed_at = self._failures.get(seat, (0, 0.0))
        if seat.state is State.BROKEN and seat.since > failed_at:
            self._failures[seat] = failures + 1, seat.since
        elif seat.state is State.WARM and failed_at < seat.since < now - pause_s(failures):
            # It has been well for longer than it was left alone.
            self._failures.pop(seat, None)

    def _do(self, seat: Seat, step: Step) -> None:
        if step.act == "boot":
            self._pool.boot(seat)
            return
        assert step.act is not None
        task = self._busy[seat] = asyncio.create_task(self._act(seat, step.act), name=f"{step.act} {seat.id}")
        task.add_done_callback(lambda task: self._busy.pop(seat))

    async def _act(self, seat: Seat, act: Act) -> None:
        if act == "beat":
            await self._beat(seat)
            return
        _log.info("%s is stopped: %s", seat.id, seat.next[1])
        await self._pool.rest(seat)
        if act == "revive":
            self._pool.boot(seat)

    async def _beat(self, seat: Seat) -> None:
        began = self._clock()
        try:
            await self._pool.beat(seat)
        except EngineError as error:
            failures, _ = self._failures.get(seat, (0, 0.0))
            self._failures[seat] = failures + 1, self._wall()
            seat.alarm = error.message
            _log.error("%s missed heartbeat %d: %s", seat.id, failures + 1, error.message)
            self._told.beat(seat.model, self._clock() - began, passed=False)
        else:
            self._failures.pop(seat, None)
            seat.alarm = None
            self._told.beat(seat.model, self._clock() - began, passed=True)
