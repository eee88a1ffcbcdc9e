"""The books of one machine: tables in its SQLite file, which several processes may share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Final, TypeVar

from gateway.database import Database, DatabaseError
from gateway.keys import Period
from gateway.money.base import (
    KEEP_DAYS,
    LEASE_S,
    REMEMBERED_S,
    Answer,
    Balance,
    BooksAway,
    Cap,
    CapLine,
    Hold,
    Line,
    Settlement,
    Use,
)
from gateway.money.periods import DAY_S, day, months, span, spans

_T = TypeVar("_T")

_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS holds (
  run TEXT PRIMARY KEY, key TEXT, at REAL, period TEXT, most INTEGER, amount INTEGER, milliseconds INTEGER,
  name TEXT, lapses REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holds_of ON holds (key, name);
CREATE TABLE IF NOT EXISTS spent (
  key TEXT, name TEXT, amount INTEGER, ends REAL, PRIMARY KEY (key, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settled (id TEXT PRIMARY KEY, at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage (
  day TEXT, key TEXT, model TEXT, outcome TEXT,
  {", ".join(f"{column} INTEGER" for column in Use._fields)},
  PRIMARY KEY (day, key, model, outcome)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS caps (
  month TEXT, key TEXT, model TEXT, asked INTEGER, used INTEGER, by_length INTEGER, runs INTEGER,
  PRIMARY KEY (month, key, model, asked, used, by_length)
) WITHOUT ROWID;
"""

_ADD_USE: Final = (
    f"INSERT INTO usage VALUES (?, ?, ?, ?, {', '.join('?' for _ in Use._fields)}) "
    "ON CONFLICT DO UPDATE SET " + ", ".join(f"{column} = {column} + excluded.{column}" for column in Use._fields)
)


class SqliteBooks:
    """The store of one machine; see Books for what it promises. To ask makes no file. `clock` gives unix seconds."""

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self._database = Database(path, _SCHEMA)
        self._clock = clock

    async def hold(self, hold: Hold) -> Answer:
        return await self._run(lambda on: _hold(on, hold, self._clock()))

    async def held(self, key: str, run: str) -> Hold | None:
        columns = "run, key, at, period, most, amount, milliseconds"
        query = f"SELECT {columns} FROM holds WHERE run = ?"
        rows = await self._ask(lambda on: on.execute(query, (run,)).fetchall())
        return Hold(*rows[0]) if rows else None

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        def work(on: Connection) -> None:
            for settlement in settlements:
                _settle(on, settlement, self._clock())

        await self._run(work)

    async def balance(self, key: str, period: Period, at: float) -> Balance:
        name = span(period, at).name
        told = await self._ask(lambda on: [_balance(on, key, name, self._clock())])
        return told[0] if told else Balance(0, 0)

    async def usage(self, since: str, until: str) -> list[Line]:
        query = "SELECT * FROM usage WHERE day BETWEEN ? AND ? ORDER BY day, key, model, outcome"
        rows = await self._ask(lambda on: on.execute(query, (since, until)).fetchall())
        return [Line(day, key, model, outcome, Use(*sums)) for day, key, model, outcome, *sums in rows]

    async def caps(self, at: float, key: str | None = None) -> list[CapLine]:
        query = (
            "SELECT key, model, asked, used, by_length, sum(runs) FROM caps "
            "WHERE month IN (?, ?) AND key = coalesce(?, key) GROUP BY 1, 2, 3, 4, 5"
        )
        rows = await self._ask(lambda on: on.execute(query, (*months(at), key)).fetchall())
        return [CapLine(key, model, Cap(asked, used, bool(by)), runs) for key, model, asked, used, by, runs in rows]

    async def sweep(self) -> None:
        now = self._clock()
        kept = now - KEEP_DAYS * DAY_S

        def work(on: Connection) -> list[None]:
            on.execute("DELETE FROM holds WHERE lapses < ?", (now - REMEMBERED_S,))
            on.execute("DELETE FROM settled WHERE at < ?", (now - REMEMBERED_S,))
            on.execute("DELETE FROM spent WHERE ends < ?", (kept,))
            on.execute("DELETE FROM usage WHERE day < ?", (day(kept),))
            on.execute("DELETE FROM caps WHERE month < ?", (months(now)[0],))
            return []

        await self._ask(work)

    async def close(self) -> None:
        await self._database.close()

    async def _ask(self, work: Callable[[Connection], list[_T]]) -> list[_T]:
        """What the work finds; nothing where nothing was ever written."""
        return await self._run(work) if self._database.exists else []

    async def _run(self, work: Callable[[Connection], _T]) -> _T:
        try:
            return await self._database.run(work)
        except DatabaseError as error:
            raise BooksAway(str(error)) from None


def _hold(on: Connection, hold: Hold, now: float) -> Answer:
    name = span(hold.period, hold.at).name
    spent, reserved = _balance(on, hold.key, name, now, but=hold.run)
    left = hold.limit - spent - reserved
    if on.execute("SELECT 1 FROM settled WHERE id = ?", (hold.run,)).fetchone():
        return Answer(True, left)
    if hold.amount > left:
        return Answer(False, left)
    on.execute("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*hold, name, now + LEASE_S))
    return Answer(True, left - hold.amount)


def _balance(on: Connection, key: str, name: str, now: float, but: str = "") -> Balance:
    spent = on.execute("SELECT amount FROM spent WHERE key = ? AND name = ?", (key, name)).fetchone()
    query = "SELECT sum(amount) FROM holds WHERE key = ? AND name = ? AND lapses > ? AND run != ?"
    [reserved] = on.execute(query, (key, name, now, but)).fetchone()
    return Balance(spent[0] if spent else 0, reserved or 0)


def _settle(on: Connection, told: Settlement, now: float) -> None:
    if not on.execute("INSERT OR IGNORE INTO settled VALUES (?, ?)", (told.id, now)).rowcount:
        return
    on.execute("DELETE FROM holds WHERE run = ?", (told.id,))
    if not told.use.calls:
        return
    charged = told.use.cost
    if told.hold is not None:
        spent, reserved = _balance(on, told.key, span(told.hold.period, told.at).name, now)
        charged = max(0, min(charged, told.hold.limit - spent - reserved))
    use = told.use._replace(cost=charged, unpaid=told.use.unpaid + told.use.cost - charged)
    on.execute(_ADD_USE, (day(told.at), told.key, told.model, told.outcome, *use))
    if charged:
        on.executemany(
            "INSERT INTO spent VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount",
            [(told.key, name, charged, end) for name, end in spans(told.at)],
        )
    if told.cap is not None:
        on.execute(
            "INSERT INTO caps VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET runs = runs + 1",
            (months(told.at)[1], told.key, told.model, *told.cap),
        )
