"""Finds questions that were asked before in other words, and with them the exact entries that may answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from cache.base import Label, Unavailable, Which
from cache.sense import sense
from cache.vectors.base import Near, Vectors

DEADLINE_S: Final = 0.25

Embed = Callable[[str], Awaitable[bytes | None]]
"""The vector of a text (float32, little-endian), or None where there is none to be had now."""


class Question(NamedTuple):
    """One text to be answered, and everything else that its answer depends on.

    `scope` names all of that: namespace, model with version, parameters, system prompt. `embedder` is the embedding
    model with its version. Nothing is ever found across either.
    """

    text: str
    scope: str
    embedder: str
    label: Label

    @property
    def place(self) -> str:
        return hashlib.sha256(f"{self.scope}\0{self.embedder}".encode()).hexdigest()


class Sought(NamedTuple):
    """What a search found, the most alike first, and the question's vector, if it came in time."""

    found: tuple[Near, ...] = ()
    vector: bytes | None = None


class Semantic:
    """Asks an index of vectors. Nobody waits for it longer than its deadline: then nothing was found."""

    def __init__(self, vectors: Vectors, deadline_s: float = DEADLINE_S) -> None:
        self._vectors = vectors
        self._deadline_s = deadline_s

    async def find(self, question: Question, embed: Embed, threshold: float, *, careful: bool = True) -> Sought:
        """Questions at least so alike; with `careful` only those whose words say the same. Raises nothing of its own.

        Their entries may be gone: whoever finds that says so by `forget`.
        """
        vector = None
        try:
            async with asyncio.timeout(self._deadline_s):
                vector = await embed(question.text)
                if vector is None:
                    return Sought()
                near = await self._vectors.nearest(question.place, vector, threshold)
        except (TimeoutError, Unavailable):
            return Sought(vector=vector)
        meant = sense(question.text)
        return Sought(tuple(each for each in near if not careful or sense(each.text) == meant), vector)

    async def learn(self, question: Question, sought: Sought, fingerprint: str, ttl_s: float) -> None:
        """Remember that the exact entry of that fingerprint is to answer this question, if its vector is known."""
        if sought.vector is None:
            return
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._vectors.add(
                    question.place, fingerprint, question.text, sought.vector, ttl_s, question.label
                )
        except (TimeoutError, Unavailable):
            return  # It will be learned the next time it is asked.

    async def forget(self, question: Question, near: Near) -> None:
        """The entry behind this one is gone."""
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._vectors.remove(question.place, near.fingerprint)
        except (TimeoutError, Unavailable):
            return  # Whoever finds it next tries again.

    async def purge(self, which: Which) -> int:
        """Forget the questions of those answers; how many. Raises Unavailable."""
        return await self._vectors.purge(which)

    async def close(self) -> None:
        """Let go of the index."""
        await self._vectors.close()
