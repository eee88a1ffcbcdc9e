"""Deployments: a version under a name of its own, with so many engines kept warm and no more than so many booted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from engines.pool import Pool
from gateway.catalog.base import Catalog, Found
from gateway.catalog.records import Deployment, changed, pack, unpack
from gateway.catalog.shelf.base import Shelf
from gateway.errors import HearthError
from gateway.keys import LOCAL, Key
from gateway.suggest import shown


class Deployments:
    """All deployments. What they want is done in the pool of every server, a moment later in the others.

    `now` gives unix seconds. Every call raises HearthError `state_unavailable` when they cannot be reached.
    """

    def __init__(self, shelf: Shelf, catalog: Catalog, pool: Pool, now: Callable[[], float]) -> None:
        self._shelf = shelf
        self._catalog = catalog
        self._pool = pool
        self._now = now
        self._bound: set[str] = set()
        """Models whose engines are bounded."""

    async def look(self) -> None:
        """Have the pool keep as many engines as all deployments together want."""
        wanted: defaultdict[str, list[Deployment]] = defaultdict(list)
        for deployment in await self.all():
            if (model := self._model(deployment)) is not None:
                wanted[model].append(deployment)
        for model in self._bound - wanted.keys():
            if model in self._pool.models:
                self._pool.bound(model, 0, None)
        for model, several in wanted.items():
            least = max(each.min_instances for each in several)
            self._pool.bound(model, least, max(each.max_instances for each in several))
        self._bound = {*wanted}

    async def all(self) -> list[Deployment]:
        """Every deployment, the newest release first."""
        found = [unpack(written, Deployment) for written in (await self._shelf.all("deployment")).values()]
        return sorted(found, key=lambda each: (-each.created, each.name))

    async def get(self, owner: str, name: str) -> Deployment:
        """That deployment. Raises HearthError `unknown_deployment`."""
        found = (await self._shelf.all("deployment")).get(f"{owner}/{name}")
        if found is None:
            raise unknown(owner, name)
        return unpack(found, Deployment)

    async def runs(self, owner: str, name: str, key: Key) -> Found:
        """What one runs. Raises HearthError `unknown_deployment`, for an administrator also `unknown_version`."""
        deployment = await self.get(owner, name)
        try:
            return self._catalog.version(f"{deployment.model}:{deployment.version}", key)
        except HearthError:
            if key.admin:
                raise
            # Whoever may not ask its model does not learn that it is there.
            raise unknown(owner, name) from None

    async def add(self, name: str, said: dict[str, Any], key: Key) -> Deployment:
        """A first release. Raises HearthError `name_taken`, `unknown_version`, `invalid_inputs`."""
        deployment = Deployment(name=name, number=1, created=self._now(), by=key.namespace, **said)
        deployment = self._checked(deployment, key)
        if not await self._shelf.swap("deployment", name, None, pack(deployment)):
            raise HearthError("name_taken", f"There is a deployment {name} already.")
        await self.look()
        return deployment

    async def change(self, owner: str, name: str, said: dict[str, Any], key: Key) -> Deployment:
        """The next release. Raises HearthError `unknown_deployment`, `unknown_version`, `invalid_inputs`."""
        while True:
            old = await self.get(owner, name)
            new = changed(old, {**said, "number": old.number + 1, "created": self._now(), "by": key.namespace})
            new = self._checked(new, key)
            if await self._shelf.swap("deployment", new.name, pack(old), pack(new)):
                await self.look()
                return new

    async def remove(self, owner: str, name: str) -> None:
        """Have it no longer. Raises HearthError `unknown_deployment`."""
        deployment = await self.get(owner, name)
        while not await self._shelf.swap("deployment", deployment.name, pack(deployment), None):
            deployment = await self.get(owner, name)
        await self.look()

    def _checked(self, deployment: Deployment, key: Key) -> Deployment:
        """The same, its version written in digits."""
        written = deployment.version.rpartition(":")[2]
        found = self._catalog.version(f"{deployment.model}:{written}", key)
        if deployment.max_instances < deployment.min_instances:
            raise _refusal("`max_instances` is less than `min_instances`.")
        engines = len(self._pool.models[found.version.model].seats)
        if deployment.max_instances > engines:
            has = "one engine" if engines == 1 else f"{engines} engines"
            raise _refusal(
                f"{deployment.model} has {has} here, so `max_instances` is at most {engines}; name the model once more"
                " in the settings for each engine more."
            )
        return changed(deployment, {"version": found.version.id})

    def _model(self, deployment: Deployment) -> str | None:
        """What it runs is called so in the pool; None while this server does not serve that."""
        try:
            return self._catalog.version(f"{deployment.model}:{deployment.version}", LOCAL).version.model
        except HearthError:
            return None


def unknown(owner: str, name: str) -> HearthError:
    """What is said where there is none that the caller may ask."""
    return HearthError("unknown_deployment", f"No deployment {shown(f'{owner}/{name}')} is known here.")


def _refusal(sentence: str) -> HearthError:
    return HearthError("invalid_inputs", sentence, parameter="max_instances")
