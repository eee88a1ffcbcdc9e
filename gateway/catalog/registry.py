"""The catalog together with all that writes in it; begun and closed as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from obstore.store import ObjectStore

from engines.base import Traits
from engines.pool import Pool
from gateway.catalog.cards import Cards
from gateway.catalog.deployments import Deployments
from gateway.catalog.depot import Depot
from gateway.catalog.first_seen import Dates
from gateway.catalog.introspecting import Introspecting
from gateway.catalog.labels import Labels
from gateway.catalog.pushing import Make, Pushes
from gateway.catalog.rounds import Rounds
from gateway.catalog.served import Served
from gateway.catalog.shelf.base import Shelf


class Registry:
    """What is served, what is said of it, pushed and deployed. See the parts for their arguments.

    `now` gives unix seconds, `archives` where pushed archives are kept, and `folder` where they are unpacked.
    """

    def __init__(
        self,
        pool: Pool,
        names: Mapping[str, str],
        language: Callable[[Traits], dict[str, Any]],
        shelf: Shelf,
        archives: Callable[[], ObjectStore],
        folder: Path,
        make: Make,
        now: Callable[[], float],
    ) -> None:
        self._shelf = shelf
        self.cards = Cards(shelf, now)
        self.pushes = Pushes(shelf, Depot(archives, folder), Labels(archives), pool, make, now)
        self.catalog = Served(pool, names, language, Dates(shelf, now), self.cards, self.pushes.get)
        self.deployments = Deployments(shelf, self.catalog, pool, now)
        self._introspecting = Introspecting(pool, now)
        # In this order: what is pushed is then served, and what is served may be deployed.
        looks = [self.pushes.look, self.cards.look, self.catalog.look, self.deployments.look, self._introspecting.look]
        self._rounds = Rounds(looks)
        self.turn, self.refresh = self._rounds.turn, self._rounds.refresh

    async def begin(self) -> None:
        """Know every version, which may take as long as it takes to read samples of all weights; then keep looking."""
        await self.pushes.begin()
        await self._rounds.begin()

    async def close(self) -> None:
        """Look no more, and wait for what was begun."""
        await self._rounds.close()
        await self._introspecting.close()
        await self.pushes.close()
        await self._shelf.close()
