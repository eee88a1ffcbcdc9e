"""When versions were first seen."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gateway.catalog.shelf.base import Shelf


class Dates:
    """Remembers when versions came, in all replicas and over restarts. `now` gives unix seconds.

    Nothing is written down before somebody has `asked`: a server whose versions nobody wants to know makes no file.
    """

    def __init__(self, shelf: Shelf, now: Callable[[], float]) -> None:
        self._shelf = shelf
        self._now = now
        self._here: dict[str, float] = {}
        """When this server saw them first."""
        self._kept: dict[str, float] | None = None
        self.asked = False

    def of(self, id: str) -> float:
        """When that version was first seen (unix seconds)."""
        return (self._kept or {}).get(id) or self._here.setdefault(id, self._now())

    async def note(self, ids: Collection[str]) -> None:
        """These are served now. Raises HearthError `state_unavailable`."""
        for id in ids:
            self.of(id)
        if self._kept is None:
            await self._read()
        if not self.asked or self._kept is None or self._kept.keys() >= set(ids):
            return
        for id in ids:
            if id not in self._kept:
                # Whoever wrote first is right.
                await self._shelf.swap("seen", id, None, repr(self._here[id]).encode())
        await self._read()

    async def _read(self) -> None:
        found = await self._shelf.all("seen")
        self._kept = {id: float(written) for id, written in found.items()}
