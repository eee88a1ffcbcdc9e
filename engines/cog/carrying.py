"""The files of one prediction: what its inputs name is brought to the predictor, what it gives is kept."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from engines.base import JSON, Kept, Output
from engines.cog.document import is_file
from engines.cog.file_server import FileServer, Opening
from engines.errors import EngineError
from engines.porter import Opened, Porter

_PIECE: Final = 256 << 10
"""Letters of a data URL that are decoded at once: a multiple of four."""
_OWN: Final = re.compile(r"/files/[uo][0-9a-v]{32}/?$")
"""How the path of a file ends that a server like this one keeps for its owner alone, who asks for it with a key."""
_MOST_SENT: Final = 64 << 20
"""Bytes of a file that goes to a container as a data URL."""


class Carrying:
    """Whoever makes one calls `done` at the end."""

    def __init__(self, porter: Porter | None, file_server: FileServer | None, generation: str, prediction: str) -> None:
        """Without a file_server, as where the predictor runs elsewhere, files go as data URLs."""
        self._porter = porter
        self._file_server = file_server
        self._generation = generation
        self._prediction = prediction
        self._given = 0
        if file_server is not None:
            file_server.expect(prediction, generation)

    async def bring(
        self, inputs: Mapping[str, JSON], names: Iterable[str], files: Mapping[str, Kept]
    ) -> dict[str, JSON]:
        """The inputs with addresses that the predictor may ask for, where those `names` are files.

        Raises EngineError `invalid_request`.
        """
        brought = dict(inputs)
        for name in names:
            value = inputs.get(name)
            if isinstance(value, str):
                brought[name] = await self._bring(name, value, files)
            elif isinstance(value, list):
                brought[name] = [await self._bring(name, one, files) if isinstance(one, str) else one for one in value]
        return brought

    async def take(self, value: JSON, schema: Mapping[str, Any]) -> Output:
        """What the predictor gave, its files kept. Raises EngineError `engine_failed`."""
        files: dict[str, Kept] = {}
        return Output(await self._take(value, schema, files), files)

    @property
    def fault(self) -> EngineError | None:
        """What kept a file from coming or going, if anything did."""
        return None if self._file_server is None else self._file_server.fault(self._prediction)

    def done(self) -> None:
        """Nothing more is brought or taken."""
        if self._file_server is not None:
            self._file_server.forget(self._prediction)

    async def _bring(self, name: str, value: str, files: Mapping[str, Kept]) -> str:
        kept = files.get(value)
        if kept is None and value.startswith("data:"):
            return value
        if kept is None and urlsplit(value).scheme not in ("http", "https"):
            # To the predictor it would be a path on this machine.
            raise _refused(name, "must be a file, as an http(s) URL or a data URL")
        if kept is None and _OWN.search(urlsplit(value).path):
            # What would come are the file's facts, or a refusal.
            raise _refused(name, "is no file of yours that is kept here")
        if self._porter is None:
            raise _refused(name, "must be a data URL: this server carries no files")
        opening = partial(self._porter.fetch, value) if kept is None else partial(self._porter.open, kept)
        if self._file_server is None:
            return await _as_data(name, opening)
        called = kept.name if kept is not None else PurePosixPath(unquote(urlsplit(value).path)).name
        return self._file_server.offer(self._prediction, called, opening)

    async def _take(self, value: JSON, schema: Mapping[str, Any], files: dict[str, Kept]) -> JSON:
        if isinstance(value, str) and is_file(schema):
            kept = await self._keep(value)
            if kept is None:
                return value
            files[kept.id] = kept
            return kept.id
        if isinstance(value, list):
            return [await self._take(one, schema.get("items") or {}, files) for one in value]
        if isinstance(value, dict):
            properties = schema.get("properties") or {}
            return {name: await self._take(one, properties.get(name) or {}, files) for name, one in value.items()}
        return value

    async def _keep(self, value: str) -> Kept | None:
        """The file of an address; None where it is none that was brought here, or nobody keeps files."""
        if self._file_server is not None and (kept := self._file_server.kept(self._prediction, value)) is not None:
            return kept
        if self._porter is None or not value.startswith("data:"):
            return None
        content_type, _, rest = value[5:].partition(";")
        if not rest.startswith("base64,"):
            return None
        name = f"out-{self._given}{mimetypes.guess_extension(content_type) or ''}"
        self._given += 1
        start = value.index(",") + 1
        return await self._porter.keep(self._generation, name, content_type, _decoded(value, start))


async def _decoded(url: str, start: int) -> AsyncIterator[bytes]:
    try:
        for at in range(start, len(url), _PIECE):
            yield base64.b64decode(url[at : at + _PIECE], validate=True)
    except binascii.Error:
        raise EngineError("engine_failed", "The model gave a file that is no base64.") from None


async def _as_data(name: str, opening: Opening) -> str:
    """A file as a data URL. Raises EngineError `invalid_request`."""
    opened: Opened
    held = bytearray()
    way: AbstractAsyncContextManager[Opened] = opening()
    async with way as opened:
        async for piece in opened.chunks:
            held += piece
            if len(held) > _MOST_SENT:
                raise _refused(name, f"must be smaller than {_MOST_SENT >> 20} MiB for this model")
    return f"data:{opened.content_type.partition(';')[0]};base64,{base64.b64encode(held).decode()}"


def _refused(name: str, what: str) -> EngineError:
    return EngineError("invalid_request", f"input.{name} {what}.", parameter=f"input.{name}")
