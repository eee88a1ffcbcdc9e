"""Which generation answers which idempotency key: what a store of that promises."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Claim(NamedTuple):
    """A key is taken: by that generation, for an ask with this digest, so many seconds ago."""

    generation: str
    digest: str
    age_s: float = 0.0


class Claims(Protocol):
    """The store of all claims. `name` stands for an owner's key, which no store ever sees."""

    async def claim(self, name: str, claim: Claim, instead: str | None = None) -> Claim | None:
        """Take a key, in one step; None when it is taken now, or was by the same generation.

        Else the claim that stands. One whose generation is `instead` makes room. A claim is kept for a while after
        it was made, for as long as the store says.
        """

    async def peek(self, name: str) -> Claim | None:
        """The claim that stands, if one does; nothing is taken."""

    async def release(self, name: str, generation: str) -> bool:
        """Give a key back that this generation has; whether it had it. Of many who do that at once one is told so."""

    async def sweep(self) -> None:
        """See to it that what was claimed stays so; called every few seconds."""

    async def close(self) -> None:
        """Let go of whatever the store holds."""
