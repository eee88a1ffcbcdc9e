"""Versions that are pushed while the server runs, and served from then on by every replica."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable
from pathlib import Path

from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place
from gateway.catalog.archives import BadArchive
from gateway.catalog.depot import Depot
from gateway.catalog.records import Push, pack, unpack
from gateway.catalog.shelf.base import Shelf
from gateway.errors import HearthError

Make = Callable[[str, Path], Place]
"""The engine of a model, by its name in the pool and its folder. Raises EngineError `bad_model_source`."""

_log = logging.getLogger(__name__)


class Pushes:
    """All versions that were pushed. Owns the ends of those that were taken back. `now` gives unix seconds.

    Every call raises HearthError `state_unavailable` when the stores cannot be reached.
    """

    def __init__(self, shelf: Shelf, depot: Depot, pool: Pool, make: Make, now: Callable[[], float]) -> None:
        self._shelf = shelf
        self._depot = depot
        self._pool = pool
        self._make = make
        self._now = now
        self._served: dict[str, Push] = {}
        """By their names in the pool."""
        self._failed: dict[str, str] = {}
        """Which cannot be served here, and why."""
        self._ends: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    async def look(self) -> None:
        """Serve what others have pushed, and no longer what they have taken back."""
        async with self._turn:
            found = [unpack(written, Push) for written in (await self._shelf.all("push")).values()]
            pushed = {push.model: push for push in sorted(found, key=lambda push: (push.created, push.id))}
            for model in self._served.keys() - pushed.keys():
                self._end(self._served.pop(model))
            for model, push in pushed.items():
                if model not in self._served:
                    await self._try(push)

    async def add(self, name: str, archive: AsyncIterable[bytes], by: str) -> Push:
        """Keep an archive as a version of that model, and serve it; one that was pushed before is as it was.

        Raises HearthError `file_too_large`, `invalid_request`, `bad_model_source`.
        """
        try:
            async with self._depot.taking(archive) as arrived:
                push = Push(name=name, archive=arrived.digest, created=self._now(), by=by)
                # Whether it can be a model at all is told to whoever pushes it, and to nobody later.
                await self._check(push, arrived.folder)
                await self._depot.keep(arrived)
        except BadArchive as error:
            raise HearthError("invalid_request", f"This is no Cog folder: {error}") from None
        except EngineError as error:
            raise HearthError(error.code, error.message) from None
        await self._shelf.swap("push", push.id, None, pack(push))
        await self.look()
        return push

    async def remove(self, model: str) -> bool:
        """Take back what is called so in the pool; whether it was pushed. Its engines may end what they answer."""
        push = self._served.get(model)
        if push is None:
            return False
        await self._shelf.swap("push", push.id, pack(push), None)
        await self.look()
        if not self._is_needed(push.archive):
            await self._depot.drop(push.archive)
        return True

    async def close(self) -> None:
        """Wait for the ends that were begun."""
        if self._ends:
            await asyncio.wait(self._ends)

    async def _check(self, push: Push, folder: Path) -> None:
        try:
            await asyncio.to_thread(self._make, push.model, folder)
        except EngineError:
            if not self._is_needed(push.archive):
                await self._depot.forget(push.archive)
            raise

    async def _try(self, push: Push) -> None:
        """Serve it if that can be done: what is wrong with one version is no other one's concern."""
        try:
            folder = await self._depot.folder(push.archive)
            place = await asyncio.to_thread(self._make, push.model, folder)
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
        return any(each.archive == archive for each in self._served.values())

    def _end(self, push: Push) -> None:
        task = asyncio.create_task(self._stop(push), name=f"end {push.model}")
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def _stop(self, push: Push) -> None:
        await self._pool.remove(push.model)
        if not self._is_needed(push.archive):
            await self._depot.forget(push.archive)
