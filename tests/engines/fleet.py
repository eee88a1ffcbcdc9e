"""A board that several replicas of one process share, whose time is a test's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from engines.board import Away, Role, Seen, Sighting

KEPT_S: Final = 10.0
"""How long what a replica told counts."""


class Fleet:
    """What the replicas share. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.told: dict[str, tuple[float, Mapping[str, Sighting]]] = {}
        """What each replica told last, and when."""
        self.leases: dict[tuple[str, Role], tuple[str, float]] = {}
        """Whose the say is, and until when."""

    def join(self, replica: str) -> FleetBoard:
        """The board of one more replica."""
        return FleetBoard(self, replica)


class FleetBoard:
    """One replica's. While it is `cut` off, nothing reaches the others."""

    def __init__(self, fleet: Fleet, replica: str) -> None:
        self.replica = replica
        self.cut = False
        self._fleet = fleet

    async def exchange(self, told: Mapping[str, Sighting]) -> Seen:
        now = self._reached()
        self._fleet.told[self.replica] = now, dict(told)
        seen: dict[str, dict[str, Sighting]] = {}
        for replica, (at, sightings) in self._fleet.told.items():
            if now - at < KEPT_S:
                for engine, sighting in sightings.items():
                    seen.setdefault(engine, {})[replica] = sighting
        return seen

    async def lead(self, engine: str, role: Role, seconds: float) -> bool:
        now = self._reached()
        holder, until = self._fleet.leases.get((engine, role), (self.replica, 0.0))
        if holder != self.replica and now < until:
            return False
        self._fleet.leases[engine, role] = self.replica, now + seconds
        return True

    async def resign(self, engine: str, role: Role) -> None:
        self._reached()
        if self._fleet.leases.get((engine, role), ("", 0.0))[0] == self.replica:
            del self._fleet.leases[engine, role]

    async def close(self) -> None:
        if self.cut:
            return
        self._fleet.told.pop(self.replica, None)
        for (engine, role), (holder, _) in list(self._fleet.leases.items()):
            if holder == self.replica:
                await self.resign(engine, role)

    def _reached(self) -> float:
        if self.cut:
            raise Away("It is cut off.")
        return self._fleet.clock()
