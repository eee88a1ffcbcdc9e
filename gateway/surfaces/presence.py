"""Noticing that a client has left, in every phase of its request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive


class ClientLeft(Exception):
    """The client closed its connection before it had its answer. Nobody is there to be told."""


@asynccontextmanager
async def present(receive: Receive) -> AsyncIterator[None]:
    """Run the block while the client is there; cancel it and raise ClientLeft when it leaves.

    The request's body must have been read.
    """
    task = asyncio.current_task()
    assert task is not None
    inside, left = True, False

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        if inside:
            left = True
            task.cancel()

    watcher = asyncio.create_task(watch(), name="presence")
    try:
        yield
    except asyncio.CancelledError:
        if not left:
            raise
    finally:
        inside = False
        watcher.cancel()
        # The cancel may have been asked for, but not yet delivered, when the block ended by itself.
        try:
            await asyncio.wait([watcher])
        except asyncio.CancelledError:
            if not left:
                raise
        if left:
            task.uncancel()
    if left:
        raise ClientLeft
