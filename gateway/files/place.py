"""Which store files are kept in, and how it is asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from gateway.errors import HearthError

PATIENCE_S: Final = 60.0
"""How long the store may take for any one thing."""

_log = logging.getLogger(__name__)


def open_store(where: str) -> ObjectStore:
    """The store at that address, or in that folder, which is made for this user alone.

    Raises OSError where the folder cannot be made, ValueError where there is no such store.
    """
    if where.startswith("memory:"):
        return MemoryStore()
    if "://" in where and not where.startswith("file://"):
        try:
            return from_url(where, client_options={"timeout": timedelta(seconds=30)}, retry_config={"max_retries": 3})
        except BaseError as error:
            raise ValueError(f"{where} names no store of files: {_first_line(error)}") from None
    folder = Path(where.removeprefix("file://")).expanduser()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LocalStore(folder)


@asynccontextmanager
async def asking() -> AsyncIterator[None]:
    """Ask the store one thing. FileNotFoundError, which it raises for what it does not have, passes through.

    Raises HearthError `state_unavailable` for all else that it raises, and when it takes too long.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError, ValueError) as error:
        _log.warning("files: %s", _first_line(error) or type(error).__name__)
        raise HearthError("state_unavailable", "Files cannot be read or written just now; try again.") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
