"""Short ways to ask an engine, for tests."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, NamedTuple

from engines.base import Accepted, Delta, Engine, Prompt


class Answer(NamedTuple):
    """What one generation gave."""

    accepted: Accepted
    deltas: list[Delta]

    def text(self, choice: int = 0) -> str:
        return "".join(delta.text for delta in self.deltas if delta.choice == choice)

    def finishes(self, choice: int = 0) -> list[str]:
        return [delta.finish for delta in self.deltas if delta.choice == choice and delta.finish]

    @property
    def tokens(self) -> int:
        return sum(len(delta.tokens) for delta in self.deltas)


def chat(content: str, **parameters: Any) -> Prompt:
    return Prompt(messages=({"role": "user", "content": content},), parameters=parameters)


async def ask(engine: Engine, prompt: Prompt, id: str = "test", deadline_s: float = 60) -> Answer:
    """The whole answer."""
    async with asyncio.timeout(deadline_s):
        accepted, *deltas = [chunk async for chunk in engine.generate(id, prompt)]
    assert isinstance(accepted, Accepted)
    assert all(isinstance(delta, Delta) for delta in deltas)
    return Answer(accepted, deltas)  # type: ignore[arg-type]


async def begin_and_leave(engine: Engine, prompt: Prompt, chunks: int) -> None:
    """Take so many chunks, then close the iterator."""
    async with asyncio.timeout(60), aclosing(engine.generate("left", prompt)) as answer:
        for _ in range(chunks):
            await anext(answer)


async def until_idle(engine: Engine, deadline_s: float) -> None:
    """Wait until the engine holds nothing. Raises TimeoutError."""
    async with asyncio.timeout(deadline_s):
        # Another process cannot be awaited; it is asked at every turn of the loop.
        while engine.running:  # noqa: ASYNC110
            await asyncio.sleep(0)
