"""Predictions as their owners see them: over HTTP, and in webhooks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from engines.base import Kept, Output
from gateway.errors import HearthError
from gateway.log.local import Log
from gateway.predictions import passes
from gateway.predictions.record import Happening, Record
from gateway.wire.replicate import prediction

Schema = Callable[[str], dict[str, Any]]
"""The OpenAPI document of a version's inputs and outputs; an empty one where it is served no more."""
FileAddress = Callable[[Record, Kept, bytes], str]
"""Where a prediction's file is fetched, with no key; signed with the seal."""
Inline = Callable[[Kept], Awaitable[str]]
"""A file as a `data:` URL. Raises HearthError where it is gone."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_INLINE_BYTES: Final = 16 << 20
"""How large the files of one prediction may be together, to stand in its object."""


class Showing:
    """Knows all that the object has beside record and log.

    `begin` has to have succeeded once before anything is shown.
    """

    def __init__(
        self, schema: Schema, seal: Callable[[], Awaitable[bytes]], file_address: FileAddress, inline: Inline
    ) -> None:
        self._schema = schema
        self._inline = inline
        self._ask_for_seal = seal
        self._file_address = file_address
        self._seal = b""

    async def begin(self) -> None:
        """See to it that addresses can be signed. Raises HearthError `state_unavailable`."""
        if not self._seal:
            self._seal = await self._ask_for_seal()

    def whose_stream(self, written: str) -> str | None:
        """The prediction whose stream's address holds this; None where it is none of ours."""
        return passes.read(written, self._seal)

    def file_address(self, record: Record, kept: Kept) -> str:
        """Where one of its files is fetched."""
        return self._file_address(record, kept, self._seal)

    def document(self, record: Record) -> dict[str, Any]:
        """The OpenAPI document of its version."""
        return self._schema(record.version)

    async def inlined(self, log: Log | None) -> Mapping[str, str]:
        """The files of an ended prediction as `data:` URLs, by their ids, where all of them together are not large."""
        events = log.between(log.first, log.tail + 1) if log is not None and log.ended else ()
        files = {kept.id: kept for event in events if isinstance(event, Output) for kept in event.files.values()}
        if sum(kept.size for kept in files.values()) > _INLINE_BYTES:
            return {}
        try:
            return {id: await self._inline(kept) for id, kept in files.items()}
        except HearthError:
            # The address of a file that is gone says so itself.
            return {}

    def shown(
        self, record: Record, log: Log | None, *, modern: bool = False, inlined: Mapping[str, str] = _NOTHING
    ) -> dict[str, Any]:
        """The object as it is now. Only `modern` callers know the status `aborted`. Files that are `inlined` are so."""
        return prediction.shown(
            record,
            log,
            self._schema(record.version),
            lambda kept: inlined.get(kept.id) or self.file_address(record, kept),
            self._stream(record),
            modern=modern,
        )

    def created(self, record: Record, log: Log) -> dict[str, Any]:
        """The object as a reply to a call that did not wait for its end: nothing has come of it yet."""
        return prediction.created(record, log, self._stream(record))

    def body(self, record: Record, log: Log | None, happening: Happening) -> bytes:
        """The object as whoever is told of that has it, as bytes: as it is now, but for its start."""
        if happening == "start" and log is not None:
            return orjson.dumps(prediction.begun(record, log, self._stream(record)))
        return orjson.dumps(self.shown(record, log))

    def _stream(self, record: Record) -> str:
        return f"{record.address}/streams/{passes.write(record.id, self._seal)}"
