"""Whether an upstream is still there, and what it counts."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from engines.errors import EngineError
from engines.openai.connection import Connection
from engines.samples import labelled

_ANSWER_S: Final = 10.0
_LOOK_S: Final = 0.1
_AGAIN_S: Final = 1.0
"""One miss may be chance; the next look comes soon."""


async def until_gone(connection: Connection, url: str, every_s: float, suspected: asyncio.Event) -> str:
    """Look every so many seconds, or at once when it is suspected; why it counts as gone, after two misses in a row."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(every_s):
                await suspected.wait()
        suspected.clear()
        if await _miss(connection, url) is None:
            continue
        await asyncio.sleep(min(_AGAIN_S, every_s))
        why = await _miss(connection, url)
        if why is not None:
            return why


async def until_silent(connection: Connection, seconds: float) -> bool:
    """Whether nobody answers there any more, or does not after so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await connection.get(connection.root, seconds)
                except EngineError:
                    return True
                await asyncio.sleep(_LOOK_S)
    return False


async def metrics(connection: Connection) -> str:
    """What it tells Prometheus, each sample with a label `upstream`; empty where it tells nothing."""
    try:
        status, told = await connection.get(connection.root + "/metrics", _ANSWER_S)
    except EngineError:
        return ""
    return labelled(told.decode(errors="replace"), "upstream", connection.host) if status == 200 else ""


async def _miss(connection: Connection, url: str) -> str | None:
    try:
        status, _ = await connection.get(url, _ANSWER_S)
    except EngineError as error:
        return error.message
    return f"{connection.host} is not well ({status})." if status >= 500 else None
