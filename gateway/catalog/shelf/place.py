"""Where the documents are: in the Redis that the user named, else in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.catalog.shelf.base import Shelf
from gateway.catalog.shelf.sqlite import SqliteShelf
from gateway.redis.address import Address


def open_shelf(redis: Address | None, file: Path, clock: Callable[[], float]) -> Shelf:
    """The store of what is said of models; nothing is connected or made yet. `clock` gives steady seconds."""
    if redis is None:
        return SqliteShelf(file)
    # Whoever has no Redis need not wait for its client's import.
    from gateway.catalog.shelf.redis import RedisShelf

    return RedisShelf(redis, clock)
