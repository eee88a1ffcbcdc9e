"""Keys in a file."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import HearthError
from gateway.keyring.sqlite import SqliteKeyring
from tests.gateway.keyring.contract import FULL, Bench, KeyringContract


class TestSqliteKeyring(KeyringContract):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[Bench]:
        stores = [SqliteKeyring(tmp_path / "hearth.db") for _ in range(2)]
        yield Bench(*stores)
        for store in stores:
            await store.close()


@pytest.fixture
async def keyring(tmp_path: Path) -> AsyncIterator[SqliteKeyring]:
    store = SqliteKeyring(tmp_path / "hearth.db")
    yield store
    await store.close()


async def test_to_ask_makes_no_file(keyring: SqliteKeyring, tmp_path: Path) -> None:
    await keyring.find("d")
    await keyring.all()
    await keyring.revoke("key_a", 1.0)
    assert not await keyring.configured()
    assert list(tmp_path.iterdir()) == []


async def test_the_file_is_for_its_owner_alone(keyring: SqliteKeyring, tmp_path: Path) -> None:
    await keyring.add(FULL, "d")
    files = list(tmp_path.iterdir())
    assert files and all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


async def test_a_file_that_is_no_database_is_told(keyring: SqliteKeyring, tmp_path: Path) -> None:
    (tmp_path / "hearth.db").write_text("no database, but long enough to be looked at " * 20)
    for ask in (keyring.find("d"), keyring.configured(), keyring.add(FULL, "d")):
        with pytest.raises(HearthError) as told:
            await ask
        assert told.value.code == "state_unavailable"
        assert str(tmp_path) not in told.value.message
