"""The file of one machine."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from gateway.database import Database


async def test_a_file_that_another_process_is_just_making_is_waited_for(tmp_path: Path) -> None:
    maker = sqlite3.connect(tmp_path / "hearth.db", isolation_level=None)
    maker.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.2, maker.close)
    database = Database(tmp_path / "hearth.db", "CREATE TABLE IF NOT EXISTS t (n INTEGER)")
    assert await database.run(lambda on: on.execute("SELECT count(*) FROM t").fetchone()) == (0,)
    await database.close()
