"""Which run answers which question: what a store of that promises."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Unavailable(Exception):
    """The store cannot be asked just now. Says why, with no secret in it."""


class Label(NamedTuple):
    """What answers can be let go of by: whose they are, which model's, and which key had them made."""

    namespace: str
    model: str
    key: str


class Which(NamedTuple):
    """Which answers are meant: those to which everything that is given applies."""

    fingerprint: str | None = None
    namespace: str | None = None
    model: str | None = None
    key: str | None = None

    def means(self, fingerprint: str, label: Label) -> bool:
        """Whether an answer of that name and label is one of them."""
        has = (fingerprint, *label)
        return all(want in (None, each) for want, each in zip(self, has, strict=True))


class Entry(NamedTuple):
    """A run answers this question, since `age_s` seconds, or has answered it so long ago.

    `answer` is None while it runs; then the entry lasts for as long as its run renews it. `ttl_s` is what is left.
    """

    generation: str
    age_s: float
    ttl_s: float
    answer: bytes | None = None


class Fresh(NamedTuple):
    """Which entries will do: at most so old, and good for at least so long (seconds).

    An age of 0 or less wants nothing that was begun before, not even a run.
    """

    max_age_s: float | None = None
    min_ttl_s: float = 0.0

    def suffices(self, entry: Entry) -> bool:
        """Whether this entry will do. One that runs is as fresh as can be."""
        if self.max_age_s is not None and self.max_age_s <= 0:
            return False
        if entry.answer is None:
            return True
        return (self.max_age_s is None or entry.age_s <= self.max_age_s) and entry.ttl_s >= self.min_ttl_s


class Totals(NamedTuple):
    """What a store holds."""

    entries: int
    bytes: int


class Cache(Protocol):
    """The store of all entries, by fingerprint. Every method but `sweep` and `close` may raise Unavailable."""

    available: bool
    """Whether it could be asked when it was last."""

    async def claim(
        self, key: str, generation: str, fresh: Fresh, label: Label, instead: str | None = None
    ) -> Entry | None:
        """Make this run the one that answers, in one step; None when it is.

        Else the entry that stands. A run that is not fresh enough, or is `instead`, makes room; an answer that is not
        fresh enough for this caller stays for others until this run's is kept.
        """

    async def look(self, key: str) -> Entry | None:
        """The entry as it stands, claiming nothing."""

    async def keep(self, key: str, generation: str, answer: bytes, ttl_s: float) -> bool:
        """Put the answer in place of the claim; False when this run has it no more, or the answer is too large."""

    async def release(self, key: str, generation: str) -> None:
        """Take a claim back, if this run has it; harmless when not."""

    async def renew(self, claims: dict[str, str]) -> None:
        """Have claims (key to run) last, where they still stand."""

    async def purge(self, which: Which) -> int:
        """Let go of those answers; of how many questions. What is being answered goes on, and is not kept."""

    async def totals(self) -> Totals:
        """What is held now."""

    async def sweep(self) -> None:
        """Keep to the budget, the least lately asked going first; called every few seconds. Raises nothing."""

    async def close(self) -> None:
        """Let go of whatever the store holds on to."""
