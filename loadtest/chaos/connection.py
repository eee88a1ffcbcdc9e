"""One connection to a replica, which ends after a number of bytes that its reader did not choose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_READ: Final = 65_536


class Cut(Exception):
    """We cut it."""


class Lost(Exception):
    """The other side ended it, or was not there."""


class Silent(Exception):
    """Nothing came for longer than anybody should wait."""


class Connection:
    """Reads up to `most` bytes in all, and not one more."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None, patience_s: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._left = most
        self._patience_s = patience_s
        self.longest_silence = 0.0

    def send(self, data: bytes) -> None:
        """Write; whether that arrives shows in what comes back."""
        self._writer.write(data)

    async def receive(self) -> bytes:
        """What comes next. Raises Cut, Lost, Silent."""
        if self._left == 0:
            raise Cut
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._patience_s):
                data = await self._reader.read(_READ if self._left is None else min(self._left, _READ))
        except TimeoutError:
            raise Silent from None
        except OSError as error:
            raise Lost(type(error).__name__) from None
        self.longest_silence = max(self.longest_silence, clock() - began)
        if not data:
            raise Lost("closed")
        if self._left is not None:
            self._left -= len(data)
        return data


@asynccontextmanager
async def connected(port: int, most: int | None, patience_s: float) -> AsyncIterator[Connection]:
    """A connection to that port of this machine, dropped without a word at the end. Raises Lost, Silent."""
    try:
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except TimeoutError:
        raise Silent from None
    except OSError as error:
        raise Lost(type(error).__name__) from None
    try:
        yield Connection(reader, writer, most, patience_s)
    finally:
        writer.transport.abort()
