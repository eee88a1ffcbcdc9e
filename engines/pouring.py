"""What an engine gives, taken where it comes in: no task is woken for a chunk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Protocol, cast

from engines.base import Chunk, Engine, Prompt, Said

Take = Callable[[Chunk], None]
"""Takes one chunk, at once. What it raises ends the answer."""


class Pours(Protocol):
    """An engine that can push."""

    async def pour(self, id: str, prompt: Prompt, said: tuple[Said, ...], take: Take) -> None:
        """Have `take` be given all that `generate` would give, in the same order; returns after the last chunk.

        To cancel it aborts the work in the engine. Raises as `generate` does, and whatever `take` raises.
        """


async def pour(engine: Engine, id: str, prompt: Prompt, said: tuple[Said, ...], take: Take) -> None:
    """Have `take` be given all that the engine says, in the way that engine does it; see Pours."""
    if hasattr(engine, "pour"):
        pushes: Pours = cast("Pours", engine)
        await pushes.pour(id, prompt, said, take)
        return
    # Closing the iterator is what aborts in the engine, so it is closed whatever happens.
    async with aclosing(engine.generate(id, prompt, said)) as chunks:
        async for chunk in chunks:
            take(chunk)
