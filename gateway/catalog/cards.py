"""What people say of models, and the models that have no version yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.catalog.records import Card, changed, pack, unpack
from gateway.catalog.shelf.base import Shelf
from gateway.errors import HearthError


class Cards:
    """All cards, as they were when last looked at. `now` gives unix seconds.

    Every call but `get` raises HearthError `state_unavailable` when they cannot be reached.
    """

    def __init__(self, shelf: Shelf, now: Callable[[], float]) -> None:
        self._shelf = shelf
        self._now = now
        self._known: dict[str, Card] = {}

    async def look(self) -> None:
        """See what others have written."""
        found = await self._shelf.all("card")
        self._known = {name: unpack(written, Card) for name, written in found.items()}

    @property
    def names(self) -> list[str]:
        """The owner/name of each, the oldest first."""
        return [card.name for card in sorted(self._known.values(), key=lambda card: (card.created, card.name))]

    def get(self, name: str) -> Card | None:
        """What is said of a model."""
        return self._known.get(name)

    async def add(self, name: str, said: dict[str, Any]) -> Card:
        """A model that is to have versions. Raises HearthError `name_taken`."""
        card = Card(name=name, created=self._now(), **said)
        if not await self._shelf.swap("card", name, None, pack(card)):
            raise HearthError("name_taken", f"There is a model {name} already.")
        self._known[name] = card
        return card

    async def change(self, name: str, said: dict[str, Any]) -> Card:
        """Say something else of a model that is there."""
        while True:
            await self.look()
            old = self._known.get(name)
            new = changed(old or Card(name=name, created=self._now()), said)
            if await self._shelf.swap("card", name, None if old is None else pack(old), pack(new)):
                self._known[name] = new
                return new

    async def remove(self, name: str) -> bool:
        """Say nothing more of a model; whether anything was said."""
        await self.look()
        old = self._known.get(name)
        if old is None:
            return False
        await self._shelf.swap("card", name, pack(old), None)
        self._known.pop(name, None)
        return True
