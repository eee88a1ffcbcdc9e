"""Where files are kept: a folder, or any object store that obstore knows. Bytes go through it piece by piece.

Each file is two objects, its bytes and its facts as JSON, at KIND/OWNER/ID. It is there once its facts are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final, NamedTuple

import msgspec
import obstore
from obstore.store import ObjectStore

from engines.base import Kept
from gateway.errors import HearthError
from gateway.files.file import KINDS, File, Kind, created, fresh_id, is_id, kind, parted
from gateway.files.measure import PIECE, Measure
from gateway.files.names import plain_name, plain_type
from gateway.files.pipe import Pipe
from gateway.files.place import PATIENCE_S, asking, open_store

_PART: Final = 5 << 20
"""The least that object stores take as a part of an upload."""
_BATCH: Final = 1000
_SWEPT: Final = 1000
"""Objects that one sweep lets go of at most."""
_FACTS: Final = ".json"


class Facts(NamedTuple):
    """What is told of a file by whoever brings it."""

    name: str
    content_type: str | None = None
    metadata: dict[str, Any] = {}  # noqa: RUF012
    generation: str | None = None


class Page(NamedTuple):
    """Some of an owner's uploads, newest first, and whether there are others on either side."""

    files: list[File]
    newer: bool
    older: bool


class Files:
    """All files. Owners are named by their marks; `now` is in unix seconds, `*_s` how long each kind is kept.

    Every call raises HearthError `state_unavailable` when the store cannot be reached.
    """

    def __init__(
        self, where: str, now: Callable[[], float], *, upload_s: float = 86400.0, output_s: float = 3600.0
    ) -> None:
        self._where = where
        self._now = now
        self._kept_s: dict[Kind, float] = {"upload": upload_s, "output": output_s}
        self._opened: ObjectStore | None = None

    async def keep(
        self, owner: str, kind: Kind, chunks: AsyncIterable[bytes], most: int, tell: Callable[[], Facts]
    ) -> File:
        """Keep these bytes, `most` of them, under the facts that are told once they have come.

        Whatever is raised on the way passes through, and then nothing is kept. Raises HearthError `file_too_large`.
        """
        id = fresh_id(kind, self._now())
        path = f"{kind}/{owner}/{id}"
        measure = Measure(most)
        try:
            async with aclosing(measure.pieces(chunks)) as pieces:
                await self._write(path, pieces)
            facts = tell()
            file = File(
                id=id,
                owner=owner,
                name=plain_name(facts.name),
                content_type=plain_type(facts.content_type),
                size=measure.size,
                md5=measure.md5.hexdigest(),
                sha256=measure.sha256.hexdigest(),
                metadata=facts.metadata,
                generation=facts.generation,
            )
            async with asking():
                await obstore.put_async(self._store, path + _FACTS, msgspec.json.encode(file))
        except BaseException:
            with suppress(HearthError):
                await self._delete([path + _FACTS, path])
            raise
        return file

    async def find(self, owner: str, id: str) -> File:
        """An owner's file. Raises HearthError `unknown_file`, also when its time is over."""
        file = await self._look(owner, id) if is_id(id) and self._now() < self.expires(id) else None
        if file is None:
            raise HearthError("unknown_file")
        return file

    async def of(self, kept: Kept) -> File:
        """The file that an engine or a log names. Raises HearthError `unknown_file`."""
        names = parted(kept)
        if names is None:
            raise HearthError("unknown_file")
        return await self.find(*names)

    def expires(self, id: str) -> float:
        """Until when the file of this id is given (unix seconds)."""
        return created(id) + self._kept_s[kind(id)]

    async def read(self, file: File, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """Its bytes from `start` to before `end`, in pieces. Raises HearthError `unknown_file` if it went meanwhile."""
        end = file.size if end is None else end
        if start >= end:
            return
        try:
            async with asking():
                found = await obstore.get_async(self._store, _path(file), options={"range": (start, end)})
        except FileNotFoundError:
            raise HearthError("unknown_file") from None
        pieces = aiter(found.stream(PIECE))
        while True:
            async with asking():
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield bytes(piece)

    async def page(self, owner: str, beside: str | None = None, *, backwards: bool = False, limit: int = 100) -> Page:
        """Uploads older than the one of the id `beside`, or with `backwards` newer."""
        ids = sorted(await self._ids(f"upload/{owner}"))
        here = [id for id in ids if beside is None or (id < beside if backwards else id > beside)]
        shown = here[-limit:] if backwards else here[:limit]
        found = await asyncio.gather(*(self._look(owner, id) for id in shown))
        newer, older = (ids[0] < shown[0], shown[-1] < ids[-1]) if shown else (False, False)
        return Page([file for file in found if file is not None], newer, older)

    async def remove(self, file: File) -> None:
        """Let go of it at once."""
        await self._delete([_path(file) + _FACTS, _path(file)])

    async def sweep(self) -> int:
        """Let go of files whose time is over, and of what was left of uploads that never ended; how many objects."""
        over: list[str] = []
        for each in KINDS:
            async for path in self._paths(each):
                if len(over) < _SWEPT and self._is_over(path):
                    over.append(path)
        await self._delete(over)
        return len(over)

    def _is_over(self, path: str) -> bool:
        id = path.rpartition("/")[2].removesuffix(_FACTS)
        return is_id(id) and self.expires(id) <= self._now()

    async def _ids(self, folder: str) -> list[str]:
        """The ids of all files in it whose time is not over."""
        return [
            path.rpartition("/")[2].removesuffix(_FACTS)
            async for path in self._paths(folder)
            if path.endswith(_FACTS) and not self._is_over(path)
        ]

    async def _paths(self, folder: str) -> AsyncGenerator[str]:
        """All objects in it, in no order."""
        async with asking():
            batches = aiter(obstore.list(self._store, folder, chunk_size=_BATCH))
        while True:
            async with asking():
                batch = await anext(batches, None)
            if batch is None:
                return
            for found in batch:
                yield found["path"]

    async def _look(self, owner: str, id: str) -> File | None:
        try:
            async with asking():
                found = await obstore.get_async(self._store, f"{kind(id)}/{owner}/{id}{_FACTS}")
                return msgspec.json.decode(await found.bytes_async(), type=File)
        except FileNotFoundError:
            return None

    async def _write(self, path: str, pieces: AsyncIterable[bytes]) -> None:
        """Write them all, or nothing.

        The store iterates in tasks of its own, which nobody could end: so the pieces are handed to it.
        """
        pipe = Pipe()
        async with asking():
            writing = asyncio.ensure_future(
                obstore.put_async(self._store, path, pipe, use_multipart=True, chunk_size=_PART, max_concurrency=2)
            )
        writing.add_done_callback(lambda _: pipe.leave())
        try:
            async for piece in pieces:
                async with asking():
                    if not await pipe.give(piece):
                        break
            async with asking():
                await pipe.give(None)
                await asyncio.wait([writing])
        finally:
            if not writing.done():
                pipe.cut()
                await asyncio.wait([writing], timeout=PATIENCE_S)
            failed = writing.exception() if writing.done() else None
        if failed is not None:
            async with asking():
                raise failed

    async def _delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            # Another replica may have been quicker, and some stores mind.
            with suppress(FileNotFoundError):
                async with asking():
                    await obstore.delete_async(self._store, path)

    @property
    def _store(self) -> ObjectStore:
        if self._opened is None:
            self._opened = open_store(self._where)
        return self._opened


def _path(file: File) -> str:
    return f"{kind(file.id)}/{file.owner}/{file.id}"
