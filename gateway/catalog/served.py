"""The catalog of what the pool serves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engines import contents
from engines.base import UNTOLD_SCHEMA, Traits
from engines.model import Model
from engines.pool import Pool
from engines.seat import Seat
from gateway.catalog.base import Found, Listed, Version
from gateway.catalog.cards import Cards
from gateway.catalog.first_seen import Dates
from gateway.catalog.naming import full_name, read
from gateway.catalog.records import Push
from gateway.errors import HearthError
from gateway.keys import LOCAL, Key, family
from gateway.suggest import shown

_log = logging.getLogger(__name__)


class Served:
    """All models of a pool by owner/name, with their versions; see Catalog for what it promises.

    `names` are the owners and names that models have, `language` is the schema of those that answer in text,
    `cards` are models that may have no version yet, `pushed` tells of a model in the pool how it was pushed, if it was.
    It knows an engine's version once it has looked.
    """

    def __init__(
        self,
        pool: Pool,
        names: Mapping[str, str],
        language: Callable[[Traits], dict[str, Any]],
        dates: Dates,
        cards: Cards,
        pushed: Callable[[str], Push | None] = lambda model: None,
    ) -> None:
        self._pool = pool
        self._names = names
        self._language = language
        self._dates = dates
        self._cards = cards
        self._pushed = pushed
        self._identities: dict[Seat, tuple[int, str]] = {}
        """What determines the answers of each engine, and which boot of it that was found at."""
        self._versions: dict[str, tuple[Traits, Version]] = {}
        """Each model's, as it was made of its engines' traits."""

    async def look(self) -> None:
        """Find what determines the answers of engines that are new, or were booted since: they may have read other
        files. This may take as long as it takes to read samples of all weights.
        """
        for seat in list(self._pool.seats.values()):
            boots = seat.boots
            if seat not in self._identities or self._identities[seat][0] != boots:
                self._identities[seat] = boots, await asyncio.to_thread(_identity, seat)
        every = [version.id for listed in self._every(LOCAL) for version in listed.versions]
        await self._dates.note(every)

    def listed(self, key: Key) -> list[Listed]:
        return list(self._all(key))

    def model(self, owner: str, name: str, key: Key) -> Listed:
        found = self._named(f"{owner}/{name}", key)
        if found is None:
            raise HearthError("unknown_model", f"No model {shown(f'{owner}/{name}')} is served here.")
        return found

    def version(self, written: str, key: Key) -> Found:
        reference = read(written)
        if reference is not None:
            for listed in self._all(key):
                if reference.model not in (None, listed.full_name):
                    continue
                for version in listed.versions:
                    if reference.digits in (None, version.id):
                        return Found(listed, version)
        raise HearthError("unknown_version", parameter="version")

    def _named(self, name: str, key: Key) -> Listed | None:
        return next((listed for listed in self._all(key) if listed.full_name == name), None)

    def _all(self, key: Key) -> Iterator[Listed]:
        self._dates.asked = True
        return self._every(key)

    def _every(self, key: Key) -> Iterator[Listed]:
        """Every model that the key may ask, in the order in which they were named; those that were pushed come then,
        in the order that all servers know.
        """
        named: dict[str, dict[str, Version]] = {}
        hidden = set[str]()
        for model in sorted(self._pool.models.values(), key=self._order):
            name = self._name(model)
            if not key.may_ask(model.name):
                hidden.add(name)
            else:
                version = self._version(name, model)
                # Of two that are the same the one named last counts.
                named.setdefault(name, {}).pop(version.id, None)
                named[name][version.id] = version
        for name, versions in named.items():
            owner, _, own = name.partition("/")
            yield Listed(owner, own, tuple(reversed(versions.values())))
        for name in self._cards.names:
            if name not in named.keys() | hidden and key.may_ask(name):
                owner, _, own = name.partition("/")
                yield Listed(owner, own, ())

    def _order(self, model: Model) -> tuple[int, float, str]:
        push = self._pushed(model.name)
        return (0, 0.0, "") if push is None else push.order

    def _name(self, model: Model) -> str:
        return self._names.get(model.name) or full_name(family(model.name))

    def _version(self, name: str, model: Model) -> Version:
        traits = model.traits
        predictor = any(seat.predictor for seat in model.seats)
        identities = sorted({self._identity(seat) for seat in model.seats})
        id = contents.digest(name, identities)
        kept = self._versions.get(model.name)
        push = self._pushed(model.name)
        created = self._dates.of(id) if push is None else push.created
        if kept is not None and kept[0] == traits and kept[1][:3] == (id, model.name, created):
            return kept[1]
        # What was found when it was pushed is known to every server, also to one that has not booted it yet.
        schema = (push.schema if push else None) or traits.schema
        schema = schema or (UNTOLD_SCHEMA if predictor else self._language(traits))
        # A predictor calls itself what it is known by here; where that was not found it is its name.
        answers = tuple(identities) if predictor and model.name not in identities else ()
        version = Version(id, model.name, created, schema, predictor, answers)
        self._versions[model.name] = traits, version
        return version

    def _identity(self, seat: Seat) -> str:
        found = self._identities.get(seat)
        return found[1] if found else seat.model


def _identity(seat: Seat) -> str:
    """What determines an engine's answers. Reads files."""
    try:
        return seat.identity() if seat.identity is not None else seat.model
    except OSError as error:
        _log.warning("what %s would answer with cannot be read: %s", seat.id, error)
        return seat.model
