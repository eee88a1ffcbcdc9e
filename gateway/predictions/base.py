"""The history of predictions, and who attends to which: what a store of that promises."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import msgspec

from gateway.predictions.record import Ending, Happening, Record

REMEMBERED_S: Final = 30 * 86_400.0
"""How long a record is kept."""
TRIES: Final = 100
"""So many deliveries of one prediction are kept, the last ones."""


class Query(NamedTuple):
    """Which of an owner's predictions are wanted, newest first; times are unix seconds."""

    before: tuple[float, str] | None = None
    """Older than the one created then, with that id; with `backwards`, newer."""
    backwards: bool = False
    created_after: float | None = None
    """At that moment or later."""
    created_before: float | None = None
    """Earlier than that."""
    source: str | None = None
    model: str | None = None
    limit: int = 100

    def edge(self, found: list[Record]) -> tuple[float, str] | None:
        """Where the records begin that a store found for this, the nearest to `before` first."""
        return (found[0].created, found[0].id) if found else self.before

    def page(self, found: list[Record], behind: bool) -> Page:
        """What answers it: of the records found, which are one more than `limit` where there are more.

        `behind` is whether there are any on the other side of their edge.
        """
        more, records = len(found) > self.limit, found[: self.limit]
        return Page(records[::-1], more, behind) if self.backwards else Page(records, behind, more)


class Page(NamedTuple):
    """Newest first, whichever way it was asked for."""

    records: list[Record]
    newer: bool
    """Whether there are newer ones than these."""
    older: bool

    def cut(self, count: int, backwards: bool) -> Page:
        """So many of them, those nearest to where the page was asked from; the rest is on the next one."""
        if count >= len(self.records):
            return self
        if backwards:
            return Page(self.records[len(self.records) - count :], True, self.older)
        return Page(self.records[:count], self.newer, True)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One try to tell somebody (unix seconds); `status` is what they answered, `error` why they did not."""

    at: float
    happening: Happening
    message: str
    """The webhook-id: the same for every try of one message."""
    attempt: int = 1
    status: int | None = None
    error: str | None = None
    seconds: float = 0.0

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Predictions(Protocol):
    """The store of all records, for as long as `remembered_s` after they were created. A record that is not yet `told`
    has an attendant: one replica, which tells whoever wants to hear of it, and writes down how it ended. It is that
    for a lease.

    Every call raises HearthError `state_unavailable` when the store cannot be reached.
    """

    async def add(self, record: Record, attendant: str, lease_s: float) -> bool:
        """Keep a new record, which that replica attends to; False where one of that id is there, and stays as it is."""

    async def get(self, id: str, owner: str | None = None) -> Record | None:
        """The record of that id; with an `owner`, if it is theirs."""

    async def page(self, owner: str, query: Query) -> Page:
        """An owner's records."""

    async def count(self, owner: str | None, model: str) -> int:
        """How many records of a model there are; of all owners for None."""

    async def ended(self, id: str, ending: Ending) -> Record | None:
        """Write down how it ended. The first that says so is right; the record as it is then, None if unknown."""

    async def told(self, id: str) -> None:
        """Nobody has to attend to it any more."""

    async def renew(self, attendant: str, ids: list[str], lease_s: float) -> set[str]:
        """Go on attending to these; which of them it still does."""

    async def take(self, attendant: str, lease_s: float, most: int) -> list[Record]:
        """Records whose attendant let its lease lapse, itself too: of several replicas that ask, one gets each."""

    async def let_go(self, attendant: str, ids: list[str]) -> None:
        """Have others take these at once, those of them that it attends to."""

    async def delivered(self, id: str, delivery: Delivery) -> None:
        """Note one try; the last TRIES of a prediction are kept."""

    async def deliveries(self, id: str) -> list[Delivery]:
        """All tries, the first one first."""

    async def undelivered(self, owner: str | None, since: float, limit: int) -> list[Record]:
        """Predictions that ended since then, whose end somebody wanted to hear and never heard, those that ended last
        first; of all owners for None. Only what is told: it may be that others are about to hear of the rest.
        """

    async def sweep(self) -> None:
        """Forget what is older than is remembered; called every few seconds."""

    async def close(self) -> None:
        """Let go of whatever the store holds."""
