"""What passes on its way to a store, counted and summed up."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

from gateway.errors import HearthError

PIECE: Final = 256 << 10
"""Bytes handed on at a time."""


class Measure:
    """Counts bytes that pass, and sums them up."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.size = 0
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha256 = hashlib.sha256()

    async def pieces(self, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
        """The same bytes in larger pieces. Raises HearthError `file_too_large`."""
        held = bytearray()
        async for chunk in chunks:
            self.size += len(chunk)
            if self.size > self._most:
                raise HearthError("file_too_large", f"A file may have {self._most} bytes at most.")
            held += chunk
            if len(held) >= PIECE:
                yield self._add(held)
                held.clear()
        if held:
            yield self._add(held)

    def _add(self, held: bytearray) -> bytes:
        piece = bytes(held)
        self.md5.update(piece)
        self.sha256.update(piece)
        return piece
