"""Which questions lie near each other: what an index of their vectors promises."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from cache.base import Label, Which

MOST_NEAR: Final = 8
"""Questions that one search finds at most."""


class Near(NamedTuple):
    """A question that was asked before, the exact entry that answers it, and how alike it is (cosine)."""

    fingerprint: str
    text: str
    similarity: float


class Vectors(Protocol):
    """The index of all questions, by place: what lies in one place is never found in another.

    A vector is float32, little-endian; all of one place have the same length. It tells what lies where, and not whether
    that entry still stands. Every method raises Unavailable.
    """

    async def nearest(self, place: str, vector: bytes, least: float) -> list[Near]:
        """What lies there and is at least so alike, the most alike first."""

    async def add(self, place: str, fingerprint: str, text: str, vector: bytes, ttl_s: float, label: Label) -> None:
        """Put a question there, instead of what has its fingerprint; it may be forgotten after that time.

        Past what an index may hold, others go.
        """

    async def remove(self, place: str, fingerprint: str) -> None:
        """Forget a question; harmless when it is not there."""

    async def purge(self, which: Which) -> int:
        """Forget all questions to which everything that is given applies; how many."""

    async def close(self) -> None:
        """Let go of whatever the index holds on to."""
