"""Where pushed folders are: as archives in the store that all replicas have, and unpacked on this machine."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import secrets
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BufferedWriter
from pathlib import Path
from typing import Final, NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from gateway.catalog.archives import BadArchive, unpack
from gateway.errors import HearthError

_PIECE: Final = 1 << 20
SHELVED: Final = "models"
"""Where archives are in the store of files."""
_UNFINISHED: Final = ".tar"
"""How an archive ends that comes just now; the folder that it is unpacked in is called like it, without that."""


class Arrived(NamedTuple):
    """An archive on this machine, and the folder that was in it."""

    digest: str
    """Its SHA-256."""
    file: Path
    folder: Path


class Depot:
    """Archives by their SHA-256. Files go through it piece by piece.

    `store` gives where archives are kept, `folder` is where they are unpacked, which is made when it is needed.
    """

    def __init__(self, store: Callable[[], ObjectStore], folder: Path, most_bytes: int = 8 << 30) -> None:
        self._store = store
        self._folder = folder
        self._most_bytes = most_bytes

    async def sweep(self) -> None:
        """Take away what servers have left that were killed while an archive came."""
        await asyncio.to_thread(_sweep, self._folder)

    @asynccontextmanager
    async def taking(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[Arrived]:
        """Have an archive that comes, and its folder, which stays. Raises HearthError `file_too_large`; BadArchive."""
        await asyncio.to_thread(self._folder.mkdir, 0o700, parents=True, exist_ok=True)
        file = self._folder / f".{secrets.token_hex(8)}{_UNFINISHED}"
        opened = await asyncio.to_thread(file.open, "wb")
        try:
            # By this others see that somebody is at it still.
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            digest = await self._write(chunks, opened)
            yield Arrived(digest, file, await self._unpacked(file, digest))
        finally:
            await asyncio.to_thread(file.unlink, missing_ok=True)
            opened.close()

    async def keep(self, arrived: Arrived) -> None:
        """Keep an archive for all replicas. Raises HearthError `state_unavailable`."""
        with await asyncio.to_thread(arrived.file.open, "rb") as archive:
            try:
                await obstore.put_async(self._store(), f"{SHELVED}/{arrived.digest}.tar", archive)
            except (BaseError, OSError) as error:
                raise HearthError("state_unavailable", "Models cannot be kept just now; try again.") from error

    async def folder(self, digest: str) -> Path:
        """The folder of an archive that is kept. Raises HearthError `state_unavailable`; BadArchive, OSError."""
        folder = self._folder / digest
        if await asyncio.to_thread(folder.is_dir):
            return folder
        try:
            found = await obstore.get_async(self._store(), f"{SHELVED}/{digest}.tar")
            async with self.taking(_pieces(found)) as arrived:
                if arrived.digest == digest:
                    return arrived.folder
        except BaseError as error:
            raise HearthError("state_unavailable", f"It cannot be fetched: {error}") from None
        raise BadArchive("What is kept of it is damaged.")

    async def forget(self, digest: str) -> None:
        """Have its folder here no longer."""
        await asyncio.to_thread(shutil.rmtree, self._folder / digest, ignore_errors=True)

    async def drop(self, digest: str) -> None:
        """Keep its archive no longer, for nobody. Raises HearthError `state_unavailable`."""
        try:
            await obstore.delete_async(self._store(), f"{SHELVED}/{digest}.tar")
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise HearthError("state_unavailable", "Models cannot be removed just now; try again.") from error

    async def _write(self, chunks: AsyncIterable[bytes], opened: BufferedWriter) -> str:
        digest, size = hashlib.sha256(), 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self._most_bytes:
                raise HearthError("file_too_large", f"A model is at most {self._most_bytes} bytes.")
            digest.update(chunk)
            await asyncio.to_thread(opened.write, chunk)
        await asyncio.to_thread(opened.flush)
        return digest.hexdigest()

    async def _unpacked(self, archive: Path, digest: str) -> Path:
        """The folder with its files: all of them are there, or it is not."""
        folder, unfinished = self._folder / digest, archive.with_suffix("")
        if not await asyncio.to_thread(folder.is_dir):
            try:
                await asyncio.to_thread(unpack, archive, unfinished)
                await asyncio.to_thread(_move, unfinished, folder)
            finally:
                await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
        return folder


async def _pieces(found: obstore.GetResult) -> AsyncIterator[bytes]:
    async for piece in found.stream(min_chunk_size=_PIECE):
        yield bytes(piece)


def _sweep(folder: Path) -> None:
    for file in folder.glob(f".*{_UNFINISHED}"):
        try:
            with file.open("rb") as opened:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(file.with_suffix(""), ignore_errors=True)
                file.unlink()
        except OSError:
            # Somebody is at it still, or has just done with it.
            continue


def _move(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.rename(folder)
    except OSError:
        # Another process of this machine was quicker.
        if not folder.is_dir():
            raise
