"""Where the books are: in the Redis that the user named, else in a file."""

from __future__ import annotations

from pathlib import Path

from gateway.clock import Clock
from gateway.money.base import Books
from gateway.money.sqlite import SqliteBooks
from gateway.redis.address import Address


def open_books(redis: Address | None, file: Path, clock: Clock) -> Books:
    """The store of usage and budgets; nothing is connected or made yet."""
    if redis is None:
        return SqliteBooks(file, clock.wall)
    # Whoever has no Redis need not wait for its client's import.
    from gateway.money.redis import RedisBooks

    return RedisBooks(redis, clock)
