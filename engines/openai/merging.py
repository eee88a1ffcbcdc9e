"""Several requests of one prompt, answered as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from engines.base import Accepted, Chunk


async def merged(answers: Sequence[AsyncGenerator[Chunk]]) -> AsyncGenerator[Chunk]:
    """All their chunks as they come; the counts of their prompts are added up. Raises what the first of them raises."""
    if len(answers) == 1:
        async with aclosing(answers[0]) as only:
            async for chunk in only:
                yield chunk
        return
    accepted = [Accepted(0)] * len(answers)
    async with aclosing(_together(answers)) as chunks:
        async for position, chunk in chunks:
            if isinstance(chunk, Accepted):
                accepted[position] = chunk
                chunk = _sum(accepted)
            yield chunk


def _sum(accepted: Sequence[Accepted]) -> Accepted:
    return Accepted(sum(each.prompt_tokens for each in accepted), sum(each.cached_tokens for each in accepted))


async def _together(answers: Sequence[AsyncGenerator[Chunk]]) -> AsyncGenerator[tuple[int, Chunk]]:
    queue: asyncio.Queue[tuple[int, Chunk | Exception | None]] = asyncio.Queue(len(answers))

    async def carry(position: int, answer: AsyncGenerator[Chunk]) -> None:
        end: Exception | None = None
        try:
            async with aclosing(answer):
                async for chunk in answer:
                    await queue.put((position, chunk))
        except Exception as error:  # noqa: BLE001
            # Whatever it is, it is raised where the chunks are read.
            end = error
        await queue.put((position, end))

    tasks = [asyncio.create_task(carry(position, answer)) for position, answer in enumerate(answers)]
    left = len(tasks)
    try:
        while left:
            position, item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                left -= 1
            else:
                yield position, item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
