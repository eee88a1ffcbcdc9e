"""Where the keys are: in the Redis that the user named, else in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.keyring.base import Keyring
from gateway.keyring.sqlite import SqliteKeyring
from gateway.redis.address import Address


def open_keyring(redis: Address | None, file: Path, clock: Callable[[], float]) -> Keyring:
    """The store of keys; nothing is connected or made yet. `clock` gives steady seconds."""
    if redis is None:
        return SqliteKeyring(file)
    # Whoever has no Redis need not wait for its client's import.
    from gateway.keyring.redis import RedisKeyring

    return RedisKeyring(redis, clock)
