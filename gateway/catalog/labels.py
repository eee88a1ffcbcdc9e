"""What each pushed archive is, written beside it in the store of files: it is found again when the shelf is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec
import obstore
from obstore.store import ObjectStore

from gateway.catalog.depot import SHELVED
from gateway.catalog.records import Push, pack, unpack
from gateway.files.place import asking

_SUFFIX: Final = ".json"

_log = logging.getLogger(__name__)


class Labels:
    """One for each push, by its model and its archive. Every call raises HearthError `state_unavailable`."""

    def __init__(self, store: Callable[[], ObjectStore]) -> None:
        self._store = store

    async def put(self, push: Push) -> None:
        """Write down what it is, in place of what was written before."""
        async with asking():
            await obstore.put_async(self._store(), _place(push), pack(push))

    async def drop(self, push: Push) -> None:
        """Have it found no more."""
        try:
            async with asking():
                await obstore.delete_async(self._store(), _place(push))
        except FileNotFoundError:
            return

    async def all(self) -> list[Push]:
        """Every push that there is."""
        async with asking():
            store = self._store()
            paths = [each["path"] async for several in obstore.list(store, SHELVED) for each in several]
        found: list[Push] = []
        for path in paths:
            if not path.endswith(_SUFFIX):
                continue
            try:
                async with asking():
                    written = await (await obstore.get_async(store, path)).bytes_async()
                found.append(unpack(bytes(written), Push))
            except FileNotFoundError:
                # It was taken back just now.
                continue
            except msgspec.DecodeError as error:
                _log.warning("%s cannot be read: %s", path, error)
        return found


def _place(push: Push) -> str:
    return f"{SHELVED}/{push.name}/{push.archive}{_SUFFIX}"
