"""Books in a SQLite file keep the contract, between processes and for as long as they should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.money.base import KEEP_DAYS, REMEMBERED_S, BooksAway, Cap
from gateway.money.sqlite import SqliteBooks
from tests.gateway.money.contract import DAY_S, NOON, Bench, BooksContract, a_hold, a_settlement
from tests.turning import Turned


class TestSqliteBooks(BooksContract):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[Bench]:
        clock, file = Turned(NOON), tmp_path / "hearth.db"
        here, elsewhere = SqliteBooks(file, clock), SqliteBooks(file, clock)
        yield Bench(here, elsewhere, clock.turn)
        for books in (here, elsewhere):
            await books.close()


async def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    for number in range(2):
        books = SqliteBooks(tmp_path / "hearth.db", Turned(NOON))
        await books.settle([a_settlement(f"r{number}", 10)])
        assert (await books.balance("k", "total", NOON)).spent == 10 * (number + 1)
        await books.close()


async def test_what_was_kept_for_long_enough_is_forgotten() -> None:
    clock = Turned(NOON)
    books = SqliteBooks(None, clock)
    await books.settle([a_settlement("a", 10)._replace(cap=Cap(1, 1, False))])
    await books.hold(a_hold("b", 10))
    clock.turn(REMEMBERED_S + 61)
    await books.sweep()
    assert await books.held("k", "b") is None
    clock.turn((KEEP_DAYS + 40) * DAY_S)
    await books.sweep()
    assert await books.usage("2000-01-01", "2100-01-01") == []
    assert await books.caps(NOON) == []
    assert (await books.balance("k", "month", NOON)).spent == 0
    assert (await books.balance("k", "total", NOON)).spent == 10
    await books.close()


async def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    books = SqliteBooks(tmp_path, Turned(NOON))
    with pytest.raises(BooksAway, match="unable to open"):
        await books.hold(a_hold("a", 1))
    await books.close()


async def test_to_ask_makes_no_file(tmp_path: Path) -> None:
    books = SqliteBooks(tmp_path / "hearth.db", Turned(NOON))
    await books.sweep()
    assert await books.usage("2000-01-01", "2100-01-01") == []
    assert await books.caps(NOON) == []
    assert await books.balance("k", "month", NOON) == (0, 0)
    assert await books.held("k", "a") is None
    assert not list(tmp_path.iterdir())
    await books.close()
