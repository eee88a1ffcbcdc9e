"""A porter with files in memory, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager

from engines.base import Kept
from engines.errors import EngineError
from engines.porter import Opened


class MemoryPorter:
    """`web` is what lies at addresses; `kept` what a server keeps, by id."""

    def __init__(self) -> None:
        self.web: dict[str, bytes] = {}
        self.kept: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.owners: dict[str, str] = {}

    def add(self, name: str, content: bytes) -> Kept:
        kept = Kept(f"file-{len(self.kept)}", name, "text/plain", len(content))
        self.kept[kept.id] = content
        return kept

    @asynccontextmanager
    async def open(self, kept: Kept) -> AsyncIterator[Opened]:
        yield Opened(kept.name, kept.content_type, kept.size, _pieces(self.kept[kept.id]))

    @asynccontextmanager
    async def fetch(self, url: str) -> AsyncIterator[Opened]:
        self.asked.append(url)
        if url not in self.web:
            raise EngineError("invalid_request", f"There is nothing at {url}.")
        yield Opened("fetched", "text/plain", None, _pieces(self.web[url]))

    async def keep(self, generation: str, name: str, content_type: str, chunks: AsyncIterable[bytes]) -> Kept:
        content = b"".join([chunk async for chunk in chunks])
        kept = Kept(f"file-{len(self.kept)}", name, content_type, len(content))
        self.kept[kept.id] = content
        self.owners[kept.id] = generation
        return kept


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 3):
        yield content[start : start + 3]
