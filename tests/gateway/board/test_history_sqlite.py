"""A history in a SQLite file keeps the contract, and no more than it should."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engines.board import Away
from engines.history import ARRIVALS_KEPT_S, BOOTS_KEPT, BOOTS_KEPT_S
from gateway.board.history_sqlite import SqliteHistory
from tests.engines.history_contract import NOW, Bench, HistoryContract
from tests.turning import Turned


class TestSqliteHistory(HistoryContract):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[Bench]:
        clock = Turned(NOW)
        here, elsewhere = [SqliteHistory(tmp_path / "hearth.db", clock) for _ in range(2)]
        yield Bench(here, elsewhere, clock.turn)
        for history in (here, elsewhere):
            await history.close()


def rows(file: Path, table: str) -> int:
    with sqlite3.connect(file) as on:
        [count] = on.execute(f"SELECT count(*) FROM {table}").fetchone()
    on.close()
    return int(count)


async def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    for number in range(2):
        history = SqliteHistory(tmp_path / "hearth.db", Turned(NOW))
        await history.booted("demo/1", 5.0)
        await history.came({("demo", NOW): 1})
        assert list(await history.boots("demo/1")) == [5.0] * (number + 1)
        assert dict(await history.arrivals("demo", 0)) == {NOW: number + 1}
        await history.close()


async def test_the_file_loses_what_is_forgotten(tmp_path: Path) -> None:
    clock, file = Turned(NOW), tmp_path / "hearth.db"
    history = SqliteHistory(file, clock)
    for _ in range(2 * BOOTS_KEPT):
        await history.booted("demo/1", 5.0)
    assert rows(file, "boots") == BOOTS_KEPT
    await history.came({("demo", NOW): 1, ("gone", NOW): 1})
    clock.turn(max(ARRIVALS_KEPT_S, BOOTS_KEPT_S) + 1)
    await history.booted("demo/2", 5.0)
    await history.came({("demo", int(clock.now)): 1})
    assert rows(file, "boots") == rows(file, "arrivals") == 1
    await history.close()


async def test_to_ask_makes_no_file(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "hearth.db", Turned(NOW))
    assert list(await history.boots("demo/1")) == []
    assert dict(await history.arrivals("demo", 0)) == {}
    assert not list(tmp_path.iterdir())
    await history.close()


async def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path, Turned(NOW))
    for ask in (
        history.booted("demo/1", 5.0),
        history.boots("demo/1"),
        history.came({("demo", NOW): 1}),
        history.arrivals("demo", 0),
    ):
        with pytest.raises(Away, match="unable to open"):
            await ask
    await history.close()
