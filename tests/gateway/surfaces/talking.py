"""Clients of /v1/ws for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.gateway.surfaces.raw import CHAT


class Talk:
    """One socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, t: str, id: str | None = None, **fields: Any) -> None:
        """Send a frame."""
        await self.connection.send(json.dumps({"t": t, **({} if id is None else {"id": id}), **fields}))

    async def create(self, id: str, *, resumable: bool = False, **body: Any) -> str:
        """Start a generation on a lane that is alone; its id."""
        await self.say("create", id, request={**CHAT, **body}, resumable=resumable)
        attached = await self.hear(id)
        assert attached["t"] == "attached", attached
        generation: str = attached["generation"]
        return generation

    async def hear(self, id: str | None = None, t: str | None = None) -> dict[str, Any]:
        """The next frame, of that lane and kind."""
        async with asyncio.timeout(10):
            while True:
                frame: dict[str, Any] = json.loads(await self.connection.recv())
                if (id is None or frame.get("id") == id) and (t is None or frame["t"] == t):
                    return frame

    async def to_the_end(self, *ids: str) -> dict[str, list[dict[str, Any]]]:
        """Everything on those lanes until all have ended, by lane."""
        heard: dict[str, list[dict[str, Any]]] = {id: [] for id in ids}
        left = set(ids)
        while left:
            frame = await self.hear()
            heard[frame["id"]].append(frame)
            if frame["t"] in ("end", "error", "detached"):
                left.discard(frame["id"])
        return heard


@asynccontextmanager
async def talking(url: str, **options: Any) -> AsyncIterator[Talk]:
    """A socket; closed politely at the end unless the test dropped it."""
    # Without a bound on what is read ahead, a test that has heard enough can still close politely.
    options = {"ping_interval": None, "max_queue": None, **options}
    async with connect(url.replace("http", "ws", 1) + "/v1/ws", **options) as connection:
        yield Talk(connection)


def spoken(frames: list[dict[str, Any]], choice: int = 0) -> str:
    """What was said on a lane."""
    return "".join(frame.get("d", "") for frame in frames if frame.get("c") == choice)
