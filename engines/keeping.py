"""The keeper's rounds: looks at every engine once a second, and has done what is to be done about its warmth."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from engines.base import State
from engines.board import Away, Board
from engines.errors import EngineError
from engines.hours import Always
from engines.keeper import Act, Facts, Plan, Step, decide, is_kept
from engines.learning import Learner
from engines.pool import Pool
from engines.pulse import Pulse
from engines.seat import Seat
from engines.signs import Trouble, past

_ROUND_S: Final = 1.0
_SAY_S: Final = 45.0
"""For how long a replica takes the say over a shared engine: longer than a heartbeat may take."""
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

    Of several replicas one keeps a shared engine: whoever does something to it has the say until it is due again. Then
    any of them may, as all know what the others saw: so one that dies leaves no gap. `plans` are by model, and may
    change between two rounds. `clock` gives steady seconds, `wall` unix seconds.
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
        self.seen, self.order = pulse.seen, pulse.order
        self._broken: dict[Seat, int] = {}
        """The last boot of an engine that is known to have failed."""
        self._led: set[str] = set()
        """Shared engines that it had the say over."""
        self._busy: dict[Seat, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start the rounds."""
        await self._pulse.begin()
        if self._learner is not None:
            await self._learner.renew()
        self._loop = asyncio.create_task(self._keep(), name="keeper")

    async def close(self) -> None:
        """End the rounds and what was begun in them, and leave the engines to the other replicas at once."""
        tasks = [task for task in (self._loop, *self._busy.values()) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        with contextlib.suppress(Away):
            for engine in self._led:
                await self._board.resign(engine, "keep")
        await self._pulse.take_down()
        await self._pulse.close()

    async def round(self) -> None:
        """Look at every engine once."""
        if self._learner is not None:
            await self._learner.renew()
        reached = await self._pulse.turn()
        for seat in self._pool.seats.values():
            self._look_back(seat)
            act = self._decide(seat).act
            if act is None or seat in self._busy:
                continue
            # Who comes is not known while the others cannot be asked: what they may still want is not taken away.
            if act == "cool" and not reached:
                continue
            if await self._leads(seat, act):
                # Somebody may have come meanwhile.
                self._do(seat, self._decide(seat))

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

    def _decide(self, seat: Seat) -> Step:
        step = decide(self._wall(), self._plan(seat), self._facts(seat))
        seat.next = step.at, step.why
        return step

    def _plan(self, seat: Seat) -> Plan:
        """How it is to be kept, where its model's deployments may want more engines than the model, or fewer."""
        plan = self.plans.get(seat.model, _ALONE)
        if seat.is_barred:
            return plan._replace(hours=None, idle_s=0.0)
        return plan._replace(hours=Always()) if seat.is_pinned else plan

    async def _leads(self, seat: Seat, act: Act) -> bool:
        """Whether it is for this replica to do something."""
        if seat.shared is None or (act == "boot" and _up_elsewhere(seat, State.WARM)):
            return True
        return await self._lead(seat.shared, _SAY_S)

    async def _lead(self, engine: str, seconds: float) -> bool:
        self._led.add(engine)
        try:
            return await self._board.lead(engine, "keep", seconds)
        except Away:
            # Two heartbeats do less harm than none.
            return True

    def _facts(self, seat: Seat) -> Facts:
        waits = not seat.lives and _up_elsewhere(seat, State.BOOTING)
        return Facts(
            # One that another replica boots is joined when it is up.
            state=State.BOOTING if waits else seat.state,
            since=seat.since,
            heard_at=seat.last_heard,
            asked_at=seat.last_asked,
            beat_at=seat.last_beat,
            running=bool(seat.held) or seat.busy_elsewhere,
            elsewhere=seat.shared is not None,
            cooled_at=max([seat.cooled_at, *(each.cooled_at for each in seat.elsewhere.values())]),
            boot_s=max(seat.boot_times, default=seat.boot_estimate_s),
            failures=seat.trouble.failures,
            missed=seat.trouble.missed,
            failed_at=seat.trouble.at,
        )

    def _look_back(self, seat: Seat) -> None:
        """Count a boot that failed, take over what failed for others, and forget what is over."""
        if seat.state is State.BROKEN and self._broken.get(seat) != seat.boots:
            self._broken[seat] = seat.boots
            seat.trouble = Trouble(seat.trouble.failures + 1, 0, seat.since)
        seat.trouble = _trouble(seat, self._wall())
        if not seat.trouble.missed:
            seat.alarm = self._boot_alarm(seat)

    def _boot_alarm(self, seat: Seat) -> str | None:
        """Why an engine does not boot that is to be warm."""
        facts, plan = self._facts(seat), self._plan(seat)
        due = not facts.cooled_at and is_kept(self._wall(), plan, facts.boot_s)
        warm = seat.state is State.WARM or _up_elsewhere(seat, State.WARM)
        return seat.error.message if seat.error is not None and facts.failures and due and not warm else None

    def _do(self, seat: Seat, step: Step) -> None:
        if step.act is None:
            return
        if step.act == "boot":
            self._pool.boot(seat)
            return
        task = self._busy[seat] = asyncio.create_task(self._act(seat, step.act), name=f"{step.act} {seat.id}")
        task.add_done_callback(lambda task: self._busy.pop(seat))

    async def _act(self, seat: Seat, act: Act) -> None:
        try:
            if act == "beat":
                await self._beat(seat)
                return
            _log.info("%s is stopped: %s", seat.id, seat.next[1])
            # One that is taken for dead will not end what it owes.
            await (self._pool.rest(seat, 0.0) if act == "revive" else self._pool.rest(seat))
            if act == "revive":
                self._pool.boot(seat)
        except Exception:  # noqa: BLE001
            # The border of the task, which nobody awaits but the keeper's end.
            _log.exception("%s: %s broke", seat.id, act)
            if act == "beat":
                self._miss(seat, "Its heartbeat broke; the server's log has the details.")

    async def _beat(self, seat: Seat) -> None:
        began, boot = self._clock(), seat.boots
        try:
            await self._pool.beat(seat)
        except EngineError as error:
            self._told.beat(seat.model, self._clock() - began, passed=False)
            # One that was stopped or has died meanwhile is not expected to answer.
            if seat.state is State.WARM and seat.boots == boot:
                self._miss(seat, error.message)
        else:
            seat.trouble, seat.alarm = Trouble(), None
            self._told.beat(seat.model, self._clock() - began, passed=True)
            if seat.shared is not None:
                await self._lead(seat.shared, self._plan(seat).beat_s)

    def _miss(self, seat: Seat, why: str) -> None:
        failures, missed, _ = seat.trouble
        seat.trouble, seat.alarm = Trouble(failures + 1, missed + 1, self._wall()), why
        _log.error("%s missed heartbeat %d: %s", seat.id, missed + 1, why)


def _up_elsewhere(seat: Seat, state: State) -> bool:
    return any(each.state is state for each in seat.elsewhere.values())


def _trouble(seat: Seat, now: float) -> Trouble:
    """What failed of late in any replica, and is not over."""
    told = [Trouble(each.failures, each.missed, each.failed_at) for each in seat.elsewhere.values()]
    all_told = [each._replace(at=past(each.at, now)) for each in (seat.trouble, *told)]
    last = max(all_told, key=lambda each: each.at)
    if seat.state is State.WARM and max(seat.last_heard, seat.last_beat) > last.at:
        return Trouble()
    return last if seat.state is State.WARM and last.at > seat.since else last._replace(missed=0)
