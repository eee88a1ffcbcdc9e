"""How files come to an engine, and from it to whoever asked."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from engines.base import Kept


class Opened(NamedTuple):
    """A file on its way to an engine; `size` is in bytes, where it is known."""

    name: str
    content_type: str
    size: int | None
    chunks: AsyncIterator[bytes]


class Porter(Protocol):
    """Carries files for a server's engines, piece by piece: none is ever held in memory whole."""

    def open(self, kept: Kept) -> AbstractAsyncContextManager[Opened]:
        """A file that the server keeps, as `Prompt.files` names it. Raises EngineError `invalid_request` if gone."""

    def fetch(self, url: str) -> AbstractAsyncContextManager[Opened]:
        """What is at an http(s) or a data URL that a caller wrote; never of a private network unless that is allowed.

        Raises EngineError `invalid_request` with the reason, where it cannot be had.
        """

    async def keep(self, generation: str, name: str, content_type: str, chunks: AsyncIterable[bytes]) -> Kept:
        """Keep what a model gave, for the owner of that generation. Raises EngineError `engine_failed`."""
