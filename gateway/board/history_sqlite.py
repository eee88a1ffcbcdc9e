"""What is remembered of engines on one machine: tables in its SQLite file, which several processes may share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final, TypeVar

from engines.board import Away
from engines.history import ARRIVALS_KEPT_S, BOOTS_KEPT, BOOTS_KEPT_S
from gateway.database import Database, DatabaseError

_T = TypeVar("_T")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS boots (
  number INTEGER PRIMARY KEY, engine TEXT NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS boots_of ON boots (engine);
CREATE TABLE IF NOT EXISTS arrivals (
  model TEXT NOT NULL, quarter INTEGER NOT NULL, came INTEGER NOT NULL, PRIMARY KEY (model, quarter)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS arrivals_at ON arrivals (quarter);
"""
_LAST: Final = "SELECT number FROM boots WHERE engine = ? ORDER BY number DESC LIMIT ?"
_ADD: Final = "INSERT INTO arrivals VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET came = came + excluded.came"


class SqliteHistory:
    """The store of one machine; see History for what it promises. To ask makes no file. `clock` gives unix seconds."""

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self._database = Database(path, _SCHEMA)
        self._clock = clock

    async def booted(self, engine: str, seconds: float) -> None:
        now = self._clock()

        def work(on: Connection) -> None:
            on.execute("INSERT INTO boots (engine, seconds, at) VALUES (?, ?, ?)", (engine, seconds, now))
            on.execute(f"DELETE FROM boots WHERE engine = ? AND number NOT IN ({_LAST})", (engine, engine, BOOTS_KEPT))
            on.execute("DELETE FROM boots WHERE at < ?", (now - BOOTS_KEPT_S,))

        await self._run(work)

    async def boots(self, engine: str) -> Sequence[float]:
        rows = await self._select("SELECT seconds FROM boots WHERE engine = ? ORDER BY number", engine)
        return [seconds for (seconds,) in rows]

    async def came(self, arrivals: Mapping[tuple[str, int], int]) -> None:
        rows = [(model, quarter, count) for (model, quarter), count in arrivals.items()]
        kept = self._clock() - ARRIVALS_KEPT_S

        def work(on: Connection) -> None:
            on.executemany(_ADD, rows)
            on.execute("DELETE FROM arrivals WHERE quarter < ?", (kept,))

        await self._run(work)

    async def arrivals(self, model: str, since: float) -> Mapping[int, int]:
        since = max(since, self._clock() - ARRIVALS_KEPT_S)
        query = "SELECT quarter, came FROM arrivals WHERE model = ? AND quarter >= ? ORDER BY quarter"
        return dict(await self._select(query, model, since))

    async def close(self) -> None:
        await self._database.close()

    async def _select(self, query: str, *values: str | float) -> list[tuple[Any, ...]]:
        """What the query finds; nothing where nothing was ever written."""
        return await self._run(lambda on: on.execute(query, values).fetchall()) if self._database.exists else []

    async def _run(self, work: Callable[[Connection], _T]) -> _T:
        try:
            return await self._database.run(work)
        except DatabaseError as error:
            raise Away(str(error)) from None
