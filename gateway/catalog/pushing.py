"""Versions that are pushed while the server runs, and served from then on by every replica."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place
from gateway.catalog.archives import RECIPE, BadArchive
from gateway.catalog.depot import Depot
from gateway.catalog.labels import Labels
from gateway.catalog.records import Push, pack, unpack
from gateway.catalog.shelf.base import Shelf
from gateway.errors import HearthError

Make = Callable[[str, Path], Place]
"""The engine of a model, by its name in the pool and its folder. Raises EngineError `bad_model_source`."""

_ABOVE: Final = re.compile(r"(?<![\w.:/])/(?:[^\s'\"/:]+/)+")
"""The folders in which something is on this machine; no part of an address."""

_log = logging.getLogger(__name__)


class Pushes:
    """All versions that were pushed. Owns the ends of those that were taken back. `now` gives unix seconds.

    What the shelf says counts. Where it has lost a push that nobody took back, the label at its archive says it again.
    Every call raises HearthError `state_unavailable` when the stores cannot be reached.
    """

    def __init__(
        self, shelf: Shelf, depot: Depot, labels: Labels, pool: Pool, make: Make, now: Callable[[], float]
    ) -> None:
        self._shelf = shelf
        self._depot = depot
        self._labels = labels
        self._pool = pool
        self._make = make
        self._now = now
        self._served: dict[str, Push] = {}
        """By their names in the pool."""
        self._coming: Counter[str] = Counter()
        """Archives that are looked at just now."""
        self._has_searched = False
        """Whether archives were found whose pushes the shelf had lost before this server began."""
        self._failed: dict[str, str] = {}
        """Which cannot be served here, and why."""
        self._ends: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def get(self, model: str) -> Push | None:
        """What is called so in the pool, if it was pushed."""
        return self._served.get(model)

    async def begin(self) -> None:
        """Take away what killed servers have left of pushes that did not end."""
        await self._depot.sweep()

    async def look(self) -> None:
        """Serve what others have pushed, and no longer what they have taken back."""
        async with self._turn:
            pushed = {push.model: push for push in (await self._pushed()).values()}
            await self._serve(pushed)
            missing = self._served.keys() - pushed.keys()
            if missing or not self._has_searched:
                found = await self._put_back(pushed.values())
                self._has_searched = True
                await self._serve(found)
                for model in missing - found.keys():
                    self._end(self._served.pop(model))

    async def add(self, name: str, archive: AsyncIterable[bytes], by: str) -> Push:
        """Keep an archive as the newest version of that model, and serve it. This may take as long as what it needs is
        installed: it is looked at first, and nothing is kept of one that is broken.

        Raises HearthError `file_too_large`, `invalid_request`, `bad_model_source`, `broken_model`.
        """
        try:
            async with self._depot.taking(archive) as arrived:
                push = Push(name=name, archive=arrived.digest, created=self._now(), by=by, number=0)
                # Whether it can be a model at all is told to whoever pushes it, and to nobody later.
                push = msgspec.structs.replace(push, schema=await self._check(push, arrived.folder))
                await self._depot.keep(arrived)
        except BadArchive as error:
            raise HearthError("invalid_request", f"This is no Cog folder: {error}") from None
        except OSError as error:
            raise HearthError("state_unavailable", f"It cannot be kept just now: {error.strerror}.") from error
        # What the shelf has lost is put back before: it is older.
        await self.look()
        push = await self._register(push)
        await self.look()
        return push

    async def remove(self, model: str) -> bool:
        """Take back what is called so in the pool; whether it was pushed. Its engines may end what they answer."""
        push = self._served.get(model)
        if push is None:
            return False
        # Whoever finds a label puts its push back, so it goes first.
        await self._labels.drop(push)
        while (kept := (await self._pushed()).get(push.id)) is not None:
            await self._shelf.swap("push", push.id, pack(kept), None)
        await self.look()
        if not self._is_needed(push.archive):
            await self._depot.drop(push.archive)
        return True

    async def close(self) -> None:
        """Wait for the ends that were begun."""
        if self._ends:
            await asyncio.wait(self._ends)

    async def _pushed(self) -> dict[str, Push]:
        return {id: unpack(written, Push) for id, written in (await self._shelf.all("push")).items()}

    async def _register(self, push: Push) -> Push:
        """Have it be the newest of its model for all servers, where it is not already."""
        while True:
            pushed = await self._pushed()
            old = pushed.pop(push.id, None)
            newest = max((each.number for each in pushed.values() if each.name == push.name), default=0)
            number = old.number if old and old.number > newest else newest + 1
            new = msgspec.structs.replace(push, number=number, created=old.created if old else push.created)
            await self._labels.put(new)
            if await self._shelf.swap("push", push.id, None if old is None else pack(old), pack(new)):
                return new

    async def _put_back(self, pushed: Iterable[Push]) -> dict[str, Push]:
        """What the shelf has lost, as the labels say it; by their names in the pool."""
        known = {push.id for push in pushed}
        lost = [push for push in await self._labels.all() if push.id not in known]
        for push in lost:
            if await self._shelf.swap("push", push.id, None, pack(push)):
                _log.warning("%s was forgotten by the store, and is put back", push.model)
        return {push.model: push for push in lost}

    async def _check(self, push: Push, folder: Path) -> dict[str, Any] | None:
        """Look at a model that comes; its schema. Nothing stays of one that is broken."""
        self._coming[push.archive] += 1
        is_sound = False
        try:
            place = await self._made(push, folder)
            try:
                if place.look is not None:
                    await place.look()
                is_sound = True
                return place.engine.traits.schema
            finally:
                await place.engine.close()
        except EngineError as error:
            code = "bad_model_source" if error.code == "bad_model_source" else "broken_model"
            raise HearthError(code, _without(error.message, folder)) from None
        finally:
            self._coming[push.archive] -= 1
            if not is_sound and not self._is_needed(push.archive):
                await self._depot.forget(push.archive)

    async def _made(self, push: Push, folder: Path) -> Place:
        try:
            return await asyncio.to_thread(self._make, push.model, folder)
        except (ValueError, RecursionError):
            # What reads the recipe stumbles over dates that are none, or over a hundred lists in each other.
            raise BadArchive(f"its {RECIPE} cannot be read.") from None

    async def _serve(self, pushed: Mapping[str, Push]) -> None:
        for model, push in pushed.items():
            if model in self._served:
                self._served[model] = push
            else:
                await self._try(push)

    async def _try(self, push: Push) -> None:
        """Serve it if that can be done: what is wrong with one version is no other one's concern."""
        try:
            folder = await self._depot.folder(push.archive)
            place = await self._made(push, folder)
        except (HearthError, EngineError, BadArchive, OSError) as error:
            if self._failed.get(push.id) != str(error):
                _log.warning("%s, which was pushed, is not served: %s", push.model, error)
                self._failed[push.id] = str(error)
            return
        if push.model not in self._pool.models:
            self._pool.add(place)
        self._served[push.model] = push
        self._failed.pop(push.id, None)

    def _is_needed(self, archive: str) -> bool:
        return self._coming[archive] > 0 or any(each.archive == archive for each in self._served.values())

    def _end(self, push: Push) -> None:
        task = asyncio.create_task(self._stop(push), name=f"end {push.model}")
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def _stop(self, push: Push) -> None:
        await self._pool.remove(push.model)
        if not self._is_needed(push.archive):
            await self._depot.forget(push.archive)


def _without(message: str, folder: Path) -> str:
    """What is wrong with a model, by the names that its files have where it came from."""
    return _ABOVE.sub("", message.replace(f"{folder}/", "").replace(str(folder), "the folder"))
