"""The keys that a server with these settings has, for one command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.cli.terminal import Trouble
from gateway.errors import HearthError
from gateway.keyring.base import Keyring
from gateway.keyring.place import open_keyring
from gateway.redis.address import Address
from gateway.settings import Settings

_T = TypeVar("_T")


def with_keyring(settings: Settings, work: Callable[[Keyring], Awaitable[_T]]) -> _T:
    """What the work gives. Raises Trouble when the store cannot be reached."""
    return asyncio.run(_run(settings, work))


async def _run(settings: Settings, work: Callable[[Keyring], Awaitable[_T]]) -> _T:
    url = settings.redis_url
    redis = None if url is None else Address.parse(url.get_secret_value())
    keyring = open_keyring(redis, settings.state_file, time.monotonic)
    try:
        return await work(keyring)
    except HearthError as error:
        where = settings.state_file if redis is None else redis.shown
        raise Trouble(f"The keys in {where} cannot be reached: {error.__cause__}.", 1) from None
    finally:
        await keyring.close()
