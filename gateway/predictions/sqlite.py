"""Predictions in a file of one machine, which several processes may use at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final, TypeVar

import msgspec

from gateway.database import Database, DatabaseError
from gateway.errors import HearthError
from gateway.predictions.base import REMEMBERED_S, TRIES, Delivery, Page, Query
from gateway.predictions.record import Ending, Record

_T = TypeVar("_T")

# Whoever is told of a record has no lease on it any more; `unheard` is when it ended, until that was heard.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS predictions (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, model TEXT NOT NULL, source TEXT NOT NULL, created REAL NOT NULL,
  record BLOB NOT NULL, ending BLOB, unheard REAL, attendant TEXT, lapses REAL
) STRICT;
CREATE INDEX IF NOT EXISTS predictions_of ON predictions (owner, created, id);
CREATE INDEX IF NOT EXISTS predictions_from ON predictions (model, created, owner);
CREATE INDEX IF NOT EXISTS predictions_since ON predictions (created);
CREATE INDEX IF NOT EXISTS predictions_untold ON predictions (lapses) WHERE lapses IS NOT NULL;
CREATE INDEX IF NOT EXISTS predictions_unheard ON predictions (unheard) WHERE unheard IS NOT NULL;
CREATE TABLE IF NOT EXISTS deliveries (
  number INTEGER PRIMARY KEY, prediction TEXT NOT NULL, delivery BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_of ON deliveries (prediction, number);
"""
_COLUMNS: Final = "record, ending, lapses"
_AT_ONCE: Final = 500
"""Records that one sweep forgets: nobody else may write meanwhile."""

_log = logging.getLogger(__name__)


class SqlitePredictions:
    """The store of one machine; see Predictions for what it promises. To ask makes no file. `clock`: unix seconds."""

    def __init__(self, path: Path | None, clock: Callable[[], float], remembered_s: float = REMEMBERED_S) -> None:
        self._database = Database(path, _SCHEMA)
        self._clock = clock
        self._remembered_s = remembered_s

    async def add(self, record: Record, attendant: str, lease_s: float) -> bool:
        row = (record.id, record.owner, record.model, record.source, record.created, msgspec.json.encode(record))
        lapses = self._clock() + lease_s
        insert = "INSERT OR IGNORE INTO predictions VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?)"
        return await self._run(lambda on: on.execute(insert, (*row, attendant, lapses)).rowcount == 1)

    async def get(self, id: str, owner: str | None = None) -> Record | None:
        which = "WHERE id = ? AND owner = coalesce(?, owner) AND created > ?"
        return next(iter(await self._select(which, id, owner, self._oldest)), None)

    async def page(self, owner: str, query: Query) -> Page:
        oldest = self._oldest
        pages = await self._ask(lambda on: [_page(on, owner, query, oldest)])
        return pages[0] if pages else Page([], newer=False, older=False)

    async def count(self, owner: str | None, model: str) -> int:
        query = "SELECT count(*) FROM predictions WHERE model = ? AND created > ? AND owner = coalesce(?, owner)"
        values = (model, self._oldest, owner)
        return sum(await self._ask(lambda on: list(on.execute(query, values).fetchone())))

    async def ended(self, id: str, ending: Ending) -> Record | None:
        update = "UPDATE predictions SET ending = ?, unheard = ? WHERE id = ? AND ending IS NULL"

        def work(on: Connection) -> list[Record]:
            records = _select(on, "WHERE id = ?", id)
            if records and records[0].ending is None:
                unheard = ending.completed if records[0].is_awaited else None
                on.execute(update, (msgspec.json.encode(ending), unheard, id))
            return _select(on, "WHERE id = ?", id)

        return next(iter(await self._ask(work)), None)

    async def told(self, id: str) -> None:
        update = "UPDATE predictions SET attendant = NULL, lapses = NULL WHERE id = ?"
        await self._ask(lambda on: on.execute(update, (id,)).fetchall())

    async def renew(self, attendant: str, ids: list[str], lease_s: float) -> set[str]:
        return set(await self._lease(attendant, ids, self._clock() + lease_s))

    async def take(self, attendant: str, lease_s: float, most: int) -> list[Record]:
        now = self._clock()
        lapsed = "SELECT id FROM predictions WHERE lapses <= ? ORDER BY lapses LIMIT ?"
        update = f"UPDATE predictions SET attendant = ?, lapses = ? WHERE id IN ({lapsed}) RETURNING {_COLUMNS}"
        values = (attendant, now + lease_s, now, most)
        return [_record(*row) for row in await self._ask(lambda on: on.execute(update, values).fetchall())]

    async def let_go(self, attendant: str, ids: list[str]) -> None:
        await self._lease(attendant, ids, 0.0)

    async def _lease(self, attendant: str, ids: list[str], lapses: float) -> list[str]:
        update = (
            "UPDATE predictions SET lapses = ? WHERE id IN (SELECT value FROM json_each(?))"
            " AND attendant = ? AND lapses IS NOT NULL RETURNING id"
        )
        values = (lapses, msgspec.json.encode(ids).decode(), attendant)
        return [id for (id,) in await self._ask(lambda on: on.execute(update, values).fetchall())]

    async def delivered(self, id: str, delivery: Delivery) -> None:
        insert = "INSERT INTO deliveries (prediction, delivery) SELECT id, ? FROM predictions WHERE id = ?"
        latest = "SELECT number FROM deliveries WHERE prediction = ? ORDER BY number DESC LIMIT ?"

        def work(on: Connection) -> list[None]:
            on.execute(insert, (msgspec.json.encode(delivery), id))
            on.execute(f"DELETE FROM deliveries WHERE prediction = ? AND number NOT IN ({latest})", (id, id, TRIES))
            if delivery.happening == "completed" and delivery.arrived:
                on.execute("UPDATE predictions SET unheard = NULL WHERE id = ?", (id,))
            return []

        await self._ask(work)

    async def deliveries(self, id: str) -> list[Delivery]:
        query = "SELECT delivery FROM deliveries WHERE prediction = ? ORDER BY number"
        rows = await self._ask(lambda on: on.execute(query, (id,)).fetchall())
        return [msgspec.json.decode(written, type=Delivery) for (written,) in rows]

    async def undelivered(self, owner: str | None, since: float, limit: int) -> list[Record]:
        which = (
            "WHERE unheard >= ? AND lapses IS NULL AND owner = coalesce(?, owner) AND created > ?"
            " ORDER BY unheard DESC, id DESC LIMIT ?"
        )
        return await self._select(which, since, owner, self._oldest, limit)

    async def sweep(self) -> None:
        values = (self._oldest, _AT_ONCE)
        old = "SELECT id FROM predictions WHERE created <= ? ORDER BY created LIMIT ?"

        def work(on: Connection) -> list[None]:
            gone = on.execute(f"DELETE FROM predictions WHERE id IN ({old}) RETURNING id", values).fetchall()
            on.executemany("DELETE FROM deliveries WHERE prediction = ?", gone)
            return []

        await self._ask(work)

    async def close(self) -> None:
        await self._database.close()

    @property
    def _oldest(self) -> float:
        return self._clock() - self._remembered_s

    async def _select(self, which: str, *values: Any) -> list[Record]:
        return await self._ask(lambda on: _select(on, which, *values))

    async def _ask(self, work: Callable[[Connection], list[_T]]) -> list[_T]:
        """What the work finds; nothing where nothing was ever written."""
        return await self._run(work) if self._database.exists else []

    async def _run(self, work: Callable[[Connection], _T]) -> _T:
        try:
            return await self._database.run(work)
        except DatabaseError as error:
            _log.warning("predictions cannot be read: %s", error)
            raise HearthError("state_unavailable") from error


def _page(on: Connection, owner: str, query: Query, oldest: float) -> Page:
    found = _beyond(on, owner, query._replace(limit=query.limit + 1), oldest)
    edge = query.edge(found)
    behind = query._replace(before=edge, backwards=not query.backwards, limit=1)
    return query.page(found, edge is not None and bool(_beyond(on, owner, behind, oldest)))


def _beyond(on: Connection, owner: str, query: Query, oldest: float) -> list[Record]:
    """The next ones from `before` on, the nearest to it first."""
    wanted: dict[str, Any] = {
        "owner = ?": owner,
        "created > ?": oldest,
        "created >= ?": query.created_after,
        "created < ?": query.created_before,
        "source = ?": query.source,
        "model = ?": query.model,
    }
    wanted = {term: value for term, value in wanted.items() if value is not None}
    terms, values = " AND ".join(wanted), list(wanted.values())
    if query.before is not None:
        terms += f" AND (created, id) {'>' if query.backwards else '<'} (?, ?)"
        values += query.before
    order = "ASC" if query.backwards else "DESC"
    return _select(on, f"WHERE {terms} ORDER BY created {order}, id {order} LIMIT ?", *values, query.limit)


def _select(on: Connection, which: str, *values: Any) -> list[Record]:
    return [_record(*row) for row in on.execute(f"SELECT {_COLUMNS} FROM predictions {which}", values)]


def _record(written: bytes, ending: bytes | None, lapses: float | None) -> Record:
    return msgspec.structs.replace(
        msgspec.json.decode(written, type=Record),
        ending=None if ending is None else msgspec.json.decode(ending, type=Ending),
        told=lapses is None,
    )
