"""A server of nothing but webhooks' routes, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from gateway.clock import Clock
from gateway.errors import HearthError
from gateway.keyring.lookup import Lookup
from gateway.keyring.place import open_keyring
from gateway.log.local import Log
from gateway.middleware import Authentication
from gateway.predictions.record import Record
from gateway.surfaces import admin_webhooks, failures
from gateway.surfaces.replicate import webhooks as secret
from tests.gateway.webhooks.receiving import LOOPBACK, Book, telling
from tests.waiting import until

ADMIN: Final = "correct horse battery staple"


class Shelf(Book):
    """A store of predictions, and of their logs."""

    def __init__(self, now: float = 1_000_020.0) -> None:
        super().__init__()
        self.now = now
        self.records: dict[str, Record] = {}
        self.logs: dict[str, Log] = {}

    async def get(self, id: str) -> Record | None:
        return self.records.get(id)

    async def undelivered(self, owner: str | None, since: float, limit: int) -> list[Record]:
        def lost(record: Record) -> bool:
            return record.ending is not None and record.ending.completed >= since and not self._heard(record.id)

        return [record for record in self.records.values() if lost(record)][:limit]

    async def look(self, generation: str, owner: str) -> Log:
        if generation not in self.logs:
            raise HearthError("expired")
        return self.logs[generation]

    def _heard(self, id: str) -> bool:
        return any(each.arrived and each.happening == "completed" for each in self.kept.get(id, []))


class Office(NamedTuple):
    """Where it is, and how to ask it."""

    url: str
    lookup: Lookup

    async def ask(self, method: str, path: str, key: str = ADMIN) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, headers={"authorization": f"Bearer {key}"}) as client:
            return await client.request(method, path)


@asynccontextmanager
async def office(shelf: Shelf, folder: Path, allowed: list[Any] = LOOPBACK) -> AsyncIterator[Office]:
    keyring = open_keyring(None, folder / "hearth.db", Clock().steady)
    lookup = Lookup(keyring, Clock(), admin_key=ADMIN)
    async with telling(shelf, allowed=allowed) as webhooks:
        routes = admin_webhooks.routes(shelf, shelf, webhooks, lambda: shelf.now)  # type: ignore[arg-type]
        app = Starlette(
            routes=[*routes, *secret.routes(lookup)],
            middleware=[Middleware(Authentication, lookup, Clock().wall, open_access=False)],
            exception_handlers=failures.HANDLERS,
        )
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning", ws="none"))
        server.capture_signals = contextmanager(lambda: iter([None]))  # type: ignore[method-assign]
        task = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        try:
            yield Office(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", lookup)
        finally:
            server.should_exit = True
            await task
            await keyring.close()
