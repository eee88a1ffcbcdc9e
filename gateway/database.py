"""What one machine has to remember: a SQLite file, used from a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

_T = TypeVar("_T")

_PATIENCE_S: Final = 5.0
"""How long another process of this server may hold the file."""
_PAUSE_S: Final = 0.01


class DatabaseError(Exception):
    """The file cannot be read or written. Says why."""


class Database:
    """Opened when it is first used, and made then if it is not there; several processes may use one file.

    `schema` is any number of `CREATE ... IF NOT EXISTS` statements. A path of None is a database in memory.
    """

    def __init__(self, path: Path | None, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._thread = ThreadPoolExecutor(1, "database")
        self._connection: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self._connection is not None or (self._path is not None and self._path.exists())

    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What the work gives, done as one transaction that no other process' overlaps. Raises DatabaseError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    async def close(self) -> None:
        """Wait for what was begun, and let go of the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            if self._connection is None:
                self._connection = self._open()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                given = work(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            return given
        except (sqlite3.Error, OSError) as error:
            raise DatabaseError(f"{self._path or 'the database in memory'}: {error}") from None

    def _open(self) -> sqlite3.Connection:
        where = ":memory:" if self._path is None else str(self._path)
        if self._path is not None:
            # What is in it is for this user alone; SQLite gives the files beside it the same mode.
            self._path.touch(mode=0o600)
        connection = sqlite3.connect(where, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            # With a log beside the file readers and writers of several processes do not wait for each other; what was
            # committed outlives the process, and all but the last moment outlives the machine.
            _keep_a_log(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(self._schema)
        except BaseException:
            connection.close()
            raise
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _keep_a_log(connection: sqlite3.Connection) -> None:
    # Two who make the file at the same moment refuse each other here at once, however patient they are.
    last = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > last:
                raise
            time.sleep(_PAUSE_S)
