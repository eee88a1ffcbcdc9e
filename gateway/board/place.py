"""Where replicas share what they know of engines, and where it is remembered."""

from __future__ import annotations

from pathlib import Path

from engines.board import Board, MemoryBoard
from engines.history import History
from gateway.board.history_sqlite import SqliteHistory
from gateway.clock import Clock
from gateway.redis.address import Address


def open_board(redis: Address | None, replica: str, clock: Clock) -> Board:
    """The board in any Redis, one that ends with the server too; else in memory. Nothing is connected yet.

    `replica` is a name that no other process has, nor one before it had.
    """
    if redis is None:
        return MemoryBoard(replica)
    # Whoever has no Redis need not wait for its client's import.
    from gateway.board.redis import RedisBoard

    return RedisBoard(redis, replica, clock.steady)


def open_history(lasting: Address | None, file: Path, clock: Clock) -> History:
    """The history in a Redis that outlives the server, else in a file. Nothing is connected or made yet."""
    if lasting is None:
        return SqliteHistory(file, clock.wall)
    from gateway.board.history_redis import RedisHistory

    return RedisHistory(lasting, clock)
