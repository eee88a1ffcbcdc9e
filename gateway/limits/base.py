"""Limits on what flows and on what runs at once: what a store of them promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

Unit = Literal["requests", "tokens"]


class Subject(NamedTuple):
    """Whose limit it is: one key's, or one model's for all keys together."""

    kind: Literal["key", "model"]
    name: str


class Rate(NamedTuple):
    """A bucket and its size: a minute's worth, which flows back evenly."""

    subject: Subject
    unit: Unit
    per_minute: int


class Standing(NamedTuple):
    """How a bucket stands after it was asked."""

    rate: Rate
    remaining: int
    reset_s: float
    """Seconds until it is full again."""
    wait_s: float = 0.0
    """Seconds until what was asked would fit; 0 when it did."""


class Limiter(Protocol):
    """The store of all limits. Nothing here fails: one that is not there is stood in for by another.

    A slot is held by a `holder`, the id of a generation, in one replica at a time.
    """

    async def take(self, rates: Sequence[Rate], cost: int) -> list[Standing]:
        """Take as much from each bucket, or from none of them; then one that did not have it has a `wait_s`.

        Those after one that refused may be left out of the answer. What is larger than a bucket fits when that is
        full, and leaves a debt, which is never more than flows back in six hours.
        """

    async def settle(self, subject: Subject, unit: Unit, cost: int, used: int) -> None:
        """Give back to a bucket what of the cost was not used; if more was, that is taken too, into debt if need be.

        Nothing happens where nothing was taken for long.
        """

    async def hold(self, subject: Subject, most: int, holder: str) -> bool:
        """Take one of so many slots; whether there was one. Whoever has one keeps it, also one of another replica."""

    async def hold_in_turn(self, subject: Subject, most: int, holder: str, key: str) -> bool:
        """As `hold`, unless one of another key is to be served first that waits in another replica.

        Who got none is held to wait, for a moment: it asks again until it has one.
        """

    async def release(self, subject: Subject, holder: str) -> None:
        """Give a slot back; harmless when there is none."""

    def leave(self, subject: Subject, holder: str) -> None:
        """Leave a slot to the replica that goes on with the run. Should there be none, it lapses."""

    async def renew(self) -> None:
        """See to it that the slots held here do not lapse; called every second."""

    async def close(self) -> None:
        """Let go of whatever the store holds."""
