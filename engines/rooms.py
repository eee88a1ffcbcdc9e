"""Engines that share a device which has not room for all: who goes cold so that another one may boot.

The least recently used one goes first, an idle one before a busy one, which ends its answers. One that is in its active
hours never goes. Nor does one that boots, or has just become warm: two models that are asked for in turn would else
throw each other out and answer nobody. Who boots waits for those, in the order of coming.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from engines.base import State
from engines.errors import EngineError
from engines.seat import Seat

_SETTLED_S: Final = 20.0
"""An engine that has been warm for less does not go."""
_LOOK_S: Final = 0.5
"""How often it is looked whether time alone has changed anything."""
_CRUMB: Final = 1e-6
"""Shares are written as decimals, and need not add up to the last bit."""

_log = logging.getLogger(__name__)


class Tenant(NamedTuple):
    """What is known of an engine that has its share of a device."""

    share: float
    stays: bool = False
    """Whether it is in its active hours."""
    may_go: bool = True
    """Whether it is warm, and not only just."""
    goes: bool = False
    """Whether it is being stopped already."""
    busy: bool = False
    used_at: float = 0.0
    """When it became warm, or was last asked (unix seconds)."""


def leaving(wanted: float, tenants: Sequence[Tenant]) -> list[int] | None:
    """Who has to go before so much of the device is free, by their places in the list; None where that takes time."""
    lacking = wanted + sum(tenant.share for tenant in tenants) - 1.0 - _CRUMB
    able = [at for at, each in enumerate(tenants) if each.goes or (each.may_go and not each.stays)]
    able.sort(key=lambda at: (not tenants[at].goes, tenants[at].busy, tenants[at].used_at))
    chosen = list[int]()
    for at in able:
        if lacking <= 0:
            break
        chosen.append(at)
        lacking -= tenants[at].share
    if lacking > 0:
        return None
    for at in reversed(chosen):
        if lacking + tenants[at].share <= 0:
            # It is not needed, since a larger one goes.
            chosen.remove(at)
            lacking += tenants[at].share
    return chosen


def acquaint(seats: Iterable[Seat]) -> None:
    """Have each engine know who else is on its device: it cannot tell when it is warm while they leave it no room."""
    devices = defaultdict[str, list[Seat]](list)
    for seat in seats:
        if seat.device is not None:
            devices[seat.device].append(seat)
            seat.is_crowded_out = partial(_is_crowded_out, seat, devices[seat.device])


def _is_crowded_out(seat: Seat, others: Sequence[Seat]) -> bool:
    """Whether somebody has to go before it has room, or comes before it."""
    if seat.has_room:
        return False
    waiting = any(each.state is State.BOOTING and not each.has_room for each in others if each is not seat)
    return waiting or seat.share + sum(each.share for each in others if each.has_room) > 1.0 + _CRUMB


class Rooms:
    """Who has room on which device. Owns the stops of those who have to make room.

    `kept` tells whether an engine is in its active hours, `rest` stops one and waits until it is gone.
    """

    def __init__(
        self, kept: Callable[[Seat], bool], rest: Callable[[Seat], Coroutine[Any, Any, None]], wall: Callable[[], float]
    ) -> None:
        self._kept = kept
        self._rest = rest
        self._wall = wall
        self._tenants: defaultdict[str, list[Seat]] = defaultdict(list)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """One boot at a time has room made on a device."""
        self._left = asyncio.Event()
        """Set when an engine is gone from its device."""
        self._stops: dict[Seat, asyncio.Task[None]] = {}

    async def enter(self, seat: Seat) -> None:
        """Wait until an engine that boots has its share of its device. Raises EngineError `no_room`."""
        if seat.device is None:
            return
        self._check(seat, seat.device)
        if self._turns[seat.device].locked():
            seat.tell(State.BOOTING, f"waiting for room on {seat.device}")
        async with self._turns[seat.device]:
            tenants = self._tenants[seat.device]
            while (going := leaving(seat.share, [self._tenant(each) for each in tenants])) != []:
                self._check(seat, seat.device)
                for at in going or ():
                    self._stop(tenants[at], seat)
                seat.tell(State.BOOTING, f"waiting for room on {seat.device}")
                await self._change()
            tenants.append(seat)
            seat.move_in()

    def leave(self, seat: Seat) -> None:
        """Give an engine's share back; harmless on one that has none."""
        if seat.device is not None and seat in self._tenants[seat.device]:
            self._tenants[seat.device].remove(seat)
            seat.has_room = False
            self._left.set()

    async def close(self) -> None:
        """Wait for the stops that were begun."""
        if self._stops:
            await asyncio.wait(list(self._stops.values()))

    def _check(self, seat: Seat, device: str) -> None:
        stay = [each for each in self._tenants[device] if self._kept(each)]
        if seat.share + sum(each.share for each in stay) > 1.0 + _CRUMB:
            names = ", ".join(dict.fromkeys(each.model for each in stay))
            verb = "is in its" if len(stay) == 1 else "are in their"
            raise EngineError("no_room", f"{device} has no room for {seat.model}: {names} {verb} active hours.")

    def _tenant(self, seat: Seat) -> Tenant:
        return Tenant(
            share=seat.share,
            stays=self._kept(seat),
            may_go=seat.state is State.WARM and self._wall() - seat.since >= _SETTLED_S,
            goes=seat.state is State.DRAINING,
            busy=bool(seat.held) or seat.busy_elsewhere,
            used_at=max(seat.since, seat.last_asked),
        )

    def _stop(self, seat: Seat, newcomer: Seat) -> None:
        if seat.state is State.WARM and seat not in self._stops:
            task = self._stops[seat] = asyncio.create_task(self._evict(seat, newcomer), name=f"make room of {seat.id}")
            task.add_done_callback(lambda task: self._stops.pop(seat))

    async def _evict(self, seat: Seat, newcomer: Seat) -> None:
        _log.info("%s is stopped: it makes room on %s for %s", seat.id, seat.device, newcomer.id)
        await self._rest(seat)
        if seat.state is State.COLD:
            seat.tell(State.COLD, f"made room on {seat.device} for {newcomer.model}")

    async def _change(self) -> None:
        self._left.clear()
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._left.wait()
        except TimeoutError:
            return
