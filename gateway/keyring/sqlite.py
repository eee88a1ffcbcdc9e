"""Keys in a file of one machine, which several processes may use at once."""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from gateway.database import Database, DatabaseError
from gateway.errors import HearthError
from gateway.keys import Key

_T = TypeVar("_T")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, key BLOB NOT NULL, revoked REAL
) STRICT;
CREATE TABLE IF NOT EXISTS seal (one INTEGER PRIMARY KEY CHECK (one = 1), bytes BLOB NOT NULL) STRICT;
"""
_SELECT: Final = "SELECT key, revoked FROM keys"

_log = logging.getLogger(__name__)


class SqliteKeyring:
    """The store of one machine; see Keyring for what it promises. To ask makes no file, to add does."""

    def __init__(self, file: Path) -> None:
        self._database = Database(file, _SCHEMA)

    async def add(self, key: Key, digest: str) -> None:
        row = (key.id, digest, msgspec.json.encode(key))
        await self._run(lambda db: db.execute("INSERT INTO keys (id, digest, key) VALUES (?, ?, ?)", row))

    async def find(self, digest: str) -> Key | None:
        return next(iter(await self._select("WHERE digest = ?", digest)), None)

    async def get(self, id: str) -> Key | None:
        return next(iter(await self._select("WHERE id = ?", id)), None)

    async def all(self) -> list[Key]:
        return await self._select("ORDER BY rowid")

    async def revoke(self, id: str, now: float) -> Key | None:
        if self._database.exists:
            update = "UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL"
            await self._run(lambda db: db.execute(update, (now, id)))
        return await self.get(id)

    async def configured(self) -> bool:
        return bool(await self._select("LIMIT 1"))

    async def seal(self) -> bytes:
        offered = secrets.token_bytes(32)

        def work(db: sqlite3.Connection) -> bytes:
            db.execute("INSERT OR IGNORE INTO seal VALUES (1, ?)", (offered,))
            return bytes(db.execute("SELECT bytes FROM seal").fetchone()[0])

        return await self._run(work)

    async def close(self) -> None:
        await self._database.close()

    async def _select(self, which: str, *values: str) -> list[Key]:
        if not self._database.exists:
            return []
        rows = await self._run(lambda db: db.execute(f"{_SELECT} {which}", values).fetchall())
        return [_key(*row) for row in rows]

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return await self._database.run(work)
        except DatabaseError as error:
            _log.warning("keys cannot be read: %s", error)
            raise HearthError("state_unavailable") from error


def _key(written: bytes, revoked: float | None) -> Key:
    return msgspec.structs.replace(msgspec.json.decode(written, type=Key), revoked=revoked)
