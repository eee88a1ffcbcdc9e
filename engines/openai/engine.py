"""An OpenAI-compatible upstream as an engine: vllm serve, SGLang, TGI, llama.cpp's server, a hosted API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from typing import Final

from engines.base import Chunk, Embeddings, Prompt, Report, Said, Traits
from engines.errors import EngineError
from engines.openai import asking, continuing, embedding, meeting
from engines.openai.asking import Job
from engines.openai.connection import Connection
from engines.openai.deltas import Deltas
from engines.openai.health import metrics, until_gone
from engines.openai.meeting import Met
from engines.openai.merging import merged
from engines.openai.sse import Events
from engines.openai.starting import Starting
from engines.openai.upstream import Upstream

_DONE: Final = b"[DONE]"
_BEAT_S: Final = 60.0
_LINGER_S: Final = 0.2
"""How long a response may take to end after it said that it has: then its connection serves others."""


class OpenAIEngine:
    """One model of one upstream."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._starting = Starting(upstream)
        self._connection: Connection | None = None
        self._met: Met | None = None
        self._suspected = asyncio.Event()
        """Set when a request found it gone."""
        self._running = 0

    @property
    def traits(self) -> Traits:
        return self._met.traits if self._met else Traits()

    @property
    def running(self) -> int:
        return self._running

    async def start(self, report: Report) -> None:
        self._connection = Connection(self._upstream)
        self._met = await self._starting.start(self._connection, report)

    async def stop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.break_off()
            try:
                await self._starting.stop(connection)
            finally:
                await connection.close()

    async def leave(self, *, others: bool = False) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.break_off()
            await self._starting.leave(others=others)
            await connection.close()

    async def close(self) -> None:
        await self.leave()
        self._starting.close()

    async def died(self) -> str:
        connection, met = self._living()
        watches = [
            asyncio.create_task(watch, name=f"health of {connection.host}")
            for watch in (
                until_gone(connection, met.health, self._upstream.health_s, self._suspected),
                self._starting.broke(),
            )
        ]
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.wait(watches)

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        connection, met = self._living()
        if met.traits.embeds:
            message = f"{met.manners.model} makes embeddings, and answers nothing."
            raise EngineError("invalid_request", message, parameter="model")
        if any(one.tokens or one.text or one.finished for one in said):
            answer = continuing.go_on(connection, met, id, prompt, said, partial(_answer, connection, id))
        else:
            answer = merged([_answer(connection, id, job) for job in asking.answers(prompt, met.manners)])
        with self._working():
            async with aclosing(answer) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def embed(self, id: str, prompt: Prompt) -> Embeddings:
        connection, met = self._living()
        vectors = [b""] * len(prompt.texts)
        tokens = 0
        with self._working():
            for job in asking.vectors(prompt, met.manners):
                answer = await connection.post(connection.base + job.path, job.body, id, job.too_long)
                tokens += embedding.read(answer, job, vectors)
        return Embeddings(tuple(vectors), tokens)

    async def beat(self) -> None:
        connection, met = self._living()
        try:
            async with asyncio.timeout(_BEAT_S):
                await meeting.ask(connection, met.beat)
        except TimeoutError:
            raise EngineError("engine_failed", f"{connection.host} gave no token in {_BEAT_S:.0f} s.") from None

    async def metrics(self) -> str:
        connection = self._connection
        return "" if connection is None or self._met is None else await metrics(connection)

    @contextmanager
    def _working(self) -> Iterator[None]:
        self._running += 1
        try:
            yield
        except EngineError as error:
            if error.code in ("engine_unreachable", "engine_died"):
                self._suspected.set()
            raise
        finally:
            self._running -= 1

    def _living(self) -> tuple[Connection, Met]:
        if self._connection is None or self._met is None:
            raise EngineError("engine_died", "The engine is not running.")
        return self._connection, self._met


async def _answer(connection: Connection, id: str, job: Job) -> AsyncGenerator[Chunk]:
    """One request's chunks. Raises EngineError."""
    events, deltas = Events(), Deltas(job, connection.host)
    async with aclosing(connection.stream(connection.base + job.path, job.body, id, job.too_long)) as pieces:
        async for piece in pieces:
            for told in events.feed(piece):
                if told == _DONE:
                    for chunk in deltas.end():
                        yield chunk
                    await _drain(pieces)
                    return
                for chunk in deltas.read(told):
                    yield chunk
    for told in events.end():
        for chunk in deltas.read(told) if told != _DONE else ():
            yield chunk
    for chunk in deltas.end():
        yield chunk


async def _drain(pieces: AsyncGenerator[bytes]) -> None:
    with suppress(EngineError, TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            async for _ in pieces:
                pass
