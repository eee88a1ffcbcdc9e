"""Documents in a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.catalog.shelf.sqlite import SqliteShelf
from gateway.errors import HearthError
from tests.gateway.catalog.shelf.contract import Bench, ShelfContract


class TestSqliteShelf(ShelfContract):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[Bench]:
        stores = [SqliteShelf(tmp_path / "hearth.db") for _ in range(2)]
        yield Bench(*stores)
        for store in stores:
            await store.close()


async def test_to_ask_makes_no_file(tmp_path: Path) -> None:
    shelf = SqliteShelf(tmp_path / "hearth.db")
    assert await shelf.all("card") == {}
    assert not (tmp_path / "hearth.db").exists()
    await shelf.close()


async def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    shelf = SqliteShelf(tmp_path)
    with pytest.raises(HearthError) as told:
        await shelf.all("card")
    assert told.value.code == "state_unavailable"
    await shelf.close()
