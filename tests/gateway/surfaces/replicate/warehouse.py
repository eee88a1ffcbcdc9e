"""A server of files alone, with or without a socket; whoever asks is whom its bearer token names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx
import msgspec
import obstore
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.connections import http
from gateway.errors import HearthError
from gateway.files.store import Files
from gateway.keys import LOCAL
from gateway.surfaces import failures
from gateway.surfaces.body import BodyLimits
from gateway.surfaces.caller import KEY
from gateway.surfaces.replicate.address import addressed, everywhere
from gateway.surfaces.replicate.files import is_signed, routes
from tests.gateway.surfaces.raw import Line, line
from tests.serving import Served
from tests.turning import Turned
from tests.waiting import until

MOST: Final = 8 << 20
SEAL: Final = b"s" * 32


@dataclass
class Warehouse:
    """The server, its store and its clock."""

    url: str
    files: Files
    clock: Turned
    client: httpx.AsyncClient

    @property
    def api(self) -> str:
        return f"{self.url}/replicate/v1"

    def objects(self) -> list[str]:
        """All that is in the store, half-written things too."""
        return [each["path"] for each in obstore.list(self.files._store).collect()]

    async def ask(self, method: str, path: str, who: str | None = "me", **more: Any) -> httpx.Response:
        headers = {**({} if who is None else {"authorization": f"Bearer {who}"}), **more.pop("headers", {})}
        return await self.client.request(method, path if "://" in path else self.api + path, headers=headers, **more)

    async def upload(self, content: bytes = b"hello", name: str = "a.txt", kind: str = "text/plain") -> dict[str, Any]:
        answer = await self.ask("POST", "/files", files={"content": (name, content, kind)})
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told


class _Names:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            who = HTTPConnection(scope).headers.get("authorization", "").removeprefix("Bearer ")
            if not who and not is_signed(scope["path"]):
                await failures.refuse(HearthError("unauthorized"), scope, receive, send)
                return
            scope[KEY] = msgspec.structs.replace(LOCAL, id=who or "nobody", namespace=who or "nobody")
        await self._app(scope, receive, send)


@asynccontextmanager
async def connected(here: Warehouse) -> AsyncIterator[Line]:
    """A client without manners."""
    async with line(Served(here.url, cast(Any, None))) as opened:
        yield opened


@asynccontextmanager
async def warehouse(where: Path) -> AsyncIterator[Warehouse]:
    """Asked in this loop, without a socket."""
    files, clock = _files(where)
    transport = httpx.ASGITransport(_app(files, clock, 10.0))
    async with httpx.AsyncClient(transport=transport, timeout=10) as client:
        yield Warehouse("http://gw.example", files, clock, client)


@asynccontextmanager
async def listening(where: Path, deadline_s: float = 10.0) -> AsyncIterator[Warehouse]:
    """On a real socket."""
    files, clock = _files(where)
    app = _app(files, clock, deadline_s)
    config = uvicorn.Config(app, port=0, http=http(10.0), ws="none", log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    # The signals stay with the test runner.
    server.capture_signals = contextmanager(lambda: iter([None]))  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(timeout=10) as client:
            yield Warehouse(f"http://127.0.0.1:{port}", files, clock, client)
    finally:
        server.should_exit = True
        await task


def _files(where: Path) -> tuple[Files, Turned]:
    clock = Turned(1_800_000_000.0)
    return Files(str(where / "files"), clock), clock


def _app(files: Files, clock: Turned, deadline_s: float) -> Starlette:
    async def seal() -> bytes:
        return SEAL

    return Starlette(
        routes=everywhere(routes(files, seal, BodyLimits(MOST, deadline_s), clock, addressed(None))),
        middleware=[Middleware(_Names)],
        exception_handlers=failures.HANDLERS,
    )
