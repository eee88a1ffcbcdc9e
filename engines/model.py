"""One model name: the engines behind it, seen as one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec

from engines.base import State, Traits
from engines.errors import EngineError
from engines.seat import Seat
from engines.states import BEST


def _together(versions: list[str]) -> str:
    """One name for engines of which any may answer."""
    return versions[0] if len(versions) == 1 else hashlib.sha256(" ".join(versions).encode()).hexdigest()[:32]


class Model:
    """A name that callers ask for."""

    def __init__(self, name: str, seats: Sequence[Seat]) -> None:
        self.name = name
        self.seats: tuple[Seat, ...] = ()
        self.waiting = 0
        """How many wait here for one of its engines."""
        self._changed = asyncio.Event()
        for seat in seats:
            self.add(seat)

    def add(self, seat: Seat) -> None:
        """One more engine that answers for it."""
        seat.on_change = self._tell
        self.seats += (seat,)
        for each in self.seats:
            each.alone = len(self.seats) == 1
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change of any engine; another one is for the change after it."""
        return self._changed

    @property
    def best(self) -> Seat:
        """The engine that is warmest, or will be soonest."""
        return min(self.seats, key=lambda seat: (BEST.index(seat.state), seat.outlook.assumed_s))

    @property
    def state(self) -> State:
        """How warm its warmest engine is."""
        return self.best.state

    @property
    def stage(self) -> str:
        """What that engine is doing about it."""
        return self.best.stage

    @property
    def error(self) -> EngineError | None:
        """What ended that engine's last boot, or its last life."""
        return self.best.error

    @property
    def boot_seconds(self) -> float | None:
        """How long that engine's last boot took."""
        return self.best.boot_seconds

    @property
    def traits(self) -> Traits:
        """What its engines say of it. Where they differ, it takes what all of them take."""
        if len(self.seats) == 1:
            return self.seats[0].engine.traits
        all_traits = [seat.engine.traits for seat in self.seats]
        known = [traits for traits in all_traits if traits.version is not None] or [self.best.engine.traits]
        first, *others = known
        if all(traits == first for traits in others):
            return first
        lengths = [traits.context_length for traits in known if traits.context_length is not None]
        taken = [traits.parameters for traits in known if traits.parameters is not None]
        return msgspec.structs.replace(
            first,
            context_length=min(lengths, default=None),
            parameters=frozenset.intersection(*taken) if taken else None,
            chat=all(traits.chat for traits in known),
            version=_together(sorted({str(traits.version) for traits in known})),
        )

    @property
    def running(self) -> int:
        """How many generations its engines hold now."""
        return sum(seat.engine.running for seat in self.seats)
