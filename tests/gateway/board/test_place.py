"""Which board and which history a server has."""

from __future__ import annotations

from pathlib import Path

from engines.board import MemoryBoard
from gateway.board.history_redis import RedisHistory
from gateway.board.history_sqlite import SqliteHistory
from gateway.board.place import open_board, open_history
from gateway.board.redis import RedisBoard
from gateway.clock import Clock
from gateway.redis.address import Address

SOMEWHERE = Address.parse("redis://localhost:1")


async def test_replicas_share_a_board_in_redis_and_a_server_by_itself_has_its_own() -> None:
    for redis, kind in ((SOMEWHERE, RedisBoard), (None, MemoryBoard)):
        board = open_board(redis, "a", Clock())
        assert isinstance(board, kind) and board.replica == "a"
        await board.close()


async def test_the_history_is_in_a_lasting_redis_else_in_the_file(tmp_path: Path) -> None:
    for redis, kind in ((SOMEWHERE, RedisHistory), (None, SqliteHistory)):
        history = open_history(redis, tmp_path / "hearth.db", Clock())
        assert isinstance(history, kind)
        await history.close()
    assert not list(tmp_path.iterdir())
