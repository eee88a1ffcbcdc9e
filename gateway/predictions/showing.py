"""Predictions as their owners see them: over HTTP, and in webhooks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from engines.base import Kept
from gateway.log.local import Log
from gateway.predictions import passes
from gateway.predictions.record import Record
from gateway.wire.replicate import prediction

Schema = Callable[[str], dict[str, Any]]
"""The OpenAPI document of a version's inputs and outputs; an empty one where it is served no more."""
FileAddress = Callable[[Record, Kept, bytes], str]
"""Where a prediction's file is fetched, with no key; signed with the seal."""


class Showing:
    """Knows all that the object has beside record and log.

    `begin` has to have succeeded once before anything is shown.
    """

    def __init__(self, schema: Schema, seal: Callable[[], Awaitable[bytes]], file_address: FileAddress) -> None:
        self._schema = schema
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

    def shown(self, record: Record, log: Log | None, *, modern: bool = False) -> dict[str, Any]:
        """The object as it is now. Only `modern` callers know the status `aborted`."""
        return prediction.shown(
            record,
            log,
            self._schema(record.version),
            lambda kept: self.file_address(record, kept),
            self._stream(record),
            modern=modern,
        )

    def created(self, record: Record, log: Log) -> dict[str, Any]:
        """The object as a reply to a call that did not wait for its end: nothing has come of it yet."""
        return prediction.created(record, log, self._stream(record))

    def body(self, record: Record, log: Log | None) -> bytes:
        """The object, as bytes."""
        return orjson.dumps(self.shown(record, log))

    def _stream(self, record: Record) -> str:
        return f"{record.address}/streams/{passes.write(record.id, self._seal)}"
