"""Documents in a file of one machine, which several processes may use at once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from gateway.catalog.shelf.base import Kind
from gateway.database import Database, DatabaseError
from gateway.errors import HearthError

_T = TypeVar("_T")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS shelf (
    kind TEXT NOT NULL, id TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
"""

_log = logging.getLogger(__name__)


class SqliteShelf:
    """The store of one machine; see Shelf for what it promises. To ask makes no file, to put does."""

    def __init__(self, file: Path | None) -> None:
        self._database = Database(file, _SCHEMA)

    async def all(self, kind: Kind) -> dict[str, bytes]:
        if not self._database.exists:
            return {}
        query = "SELECT id, document FROM shelf WHERE kind = ?"
        return dict(await self._run(lambda on: on.execute(query, (kind,)).fetchall()))

    async def swap(self, kind: Kind, id: str, old: bytes | None, new: bytes | None) -> bool:
        def work(on: sqlite3.Connection) -> bool:
            found = on.execute("SELECT document FROM shelf WHERE kind = ? AND id = ?", (kind, id)).fetchone()
            if (found[0] if found else None) != old:
                return False
            if new is None:
                on.execute("DELETE FROM shelf WHERE kind = ? AND id = ?", (kind, id))
            else:
                on.execute("INSERT OR REPLACE INTO shelf VALUES (?, ?, ?)", (kind, id, new))
            return True

        return await self._run(work)

    async def close(self) -> None:
        await self._database.close()

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return await self._database.run(work)
        except DatabaseError as error:
            _log.warning("what is kept of models cannot be read: %s", error)
            raise HearthError("state_unavailable") from error
