"""Short ways to ask an engine, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, NamedTuple

from engines.base import Accepted, Delta, Engine, Prompt, Said


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


async def ask(
    engine: Engine, prompt: Prompt, id: str = "test", deadline_s: float = 60, said: tuple[Said, ...] = ()
) -> Answer:
    """The whole answer, or the rest of it."""
    async with asyncio.timeout(deadline_s):
        chunks = [chunk async for chunk in engine.generate(id, prompt, said)]
    assert isinstance(chunks[0], Accepted)
    # An engine that counts late says so again, with the count.
    *_, accepted = [chunk for chunk in chunks if isinstance(chunk, Accepted)]
    return Answer(accepted, [chunk for chunk in chunks if isinstance(chunk, Delta)])


def said_in(prompt: Prompt, deltas: Iterable[Delta]) -> tuple[Said, ...]:
    """What those deltas say, for each choice."""
    mine: list[list[Delta]] = [[] for _ in range(prompt.choices)]
    for delta in deltas:
        mine[delta.choice].append(delta)
    return tuple(
        Said(
            tokens=tuple(token for delta in one for token in delta.tokens),
            text="".join(delta.text for delta in one),
            reasoning="".join(delta.reasoning for delta in one),
            tool_calls=any(delta.tool_calls for delta in one),
            finished=any(delta.finish for delta in one),
        )
        for one in mine
    )


async def goes_on_everywhere(engine: Engine, prompt: Prompt) -> Answer:
    """Cut the answer after each of its deltas, and see that it goes on to the same end. The undisturbed answer."""
    whole = await ask(engine, prompt)
    for cut in range(len(whole.deltas)):
        before = whole.deltas[:cut]
        rest = await ask(engine, prompt, f"cut-{cut}", said=said_in(prompt, before))
        assert rest.accepted.prompt_tokens == whole.accepted.prompt_tokens
        assert said_in(prompt, [*before, *rest.deltas]) == said_in(prompt, whole.deltas), f"cut after {cut} deltas"
        assert ends(rest.deltas) == ends(whole.deltas[cut:]), f"cut after {cut} deltas"
    return whole


def ends(deltas: Iterable[Delta]) -> set[tuple[int, str, str | int | None]]:
    """How each choice ends."""
    return {(delta.choice, delta.finish, delta.stop) for delta in deltas if delta.finish}


async def begin_and_leave(engine: Engine, prompt: Prompt, chunks: int, said: tuple[Said, ...] = ()) -> None:
    """Take so many chunks, then close the iterator."""
    async with asyncio.timeout(60), aclosing(engine.generate("left", prompt, said)) as answer:
        for _ in range(chunks):
            await anext(answer)


async def until_idle(engine: Engine, deadline_s: float) -> None:
    """Wait until the engine holds nothing. Raises TimeoutError."""
    async with asyncio.timeout(deadline_s):
        # Another process cannot be awaited; it is asked at every turn of the loop.
        while engine.running:  # noqa: ASYNC110
            await asyncio.sleep(0)
