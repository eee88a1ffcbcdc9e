"""Many generations on one WebSocket, which comes back by itself after a cut."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from hearth_client import wire
from hearth_client.asyncio.lane import Lane
from hearth_client.asyncio.watch import opened
from hearth_client.backoff import Patience
from hearth_client.border import border
from hearth_client.errors import HearthError
from hearth_client.lanes import Route, Switchboard


class Socket:
    """Lanes come and go on it; after a cut each goes on from its own position."""

    def __init__(self, url: str, headers: Mapping[str, str], patience: Patience) -> None:
        self._url = url
        self._headers = headers
        self._silence = patience.silence
        self._board = Switchboard(patience)
        self._lanes: dict[str, Lane] = {}
        self._connection: ClientConnection | None = None
        # Set while a connection is up, and for good when there will be none again.
        self._settled = asyncio.Event()
        self._failure: HearthError | None = None
        self._task: asyncio.Task[None] | None = None

    async def create(self, request: Mapping[str, Any], *, idempotency_key: str | None = None) -> Lane:
        """Start a generation from an OpenAI chat or completion body and follow it.

        With a key a cut that swallows the answer is survived too: asking again starts no second generation.
        """
        await self._ready()
        return await self._follow(*self._board.create(request, idempotency_key))

    async def attach(self, generation: str, after: str | None = None) -> Lane:
        """Follow a generation from behind `after`."""
        await self._ready()
        return await self._follow(*self._board.attach(generation, after))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _ready(self) -> ClientConnection:
        await self._settled.wait()
        if self._connection is None:
            raise self._failure or HearthError("closed", "the socket is closed")
        return self._connection

    async def _follow(self, route: Route, text: str) -> Lane:
        lane = self._lanes[route.lane] = Lane(route, self._send)
        # Sent once: should it be lost with its connection, the switchboard knows what becomes of the lane.
        await self._deliver(text)
        await lane.attached()
        return lane

    async def _send(self, text: str) -> None:
        while not await self._deliver(text):
            pass

    async def _deliver(self, text: str) -> bool:
        connection = await self._ready()
        try:
            await connection.send(text)
        except ConnectionClosed:
            if self._connection is connection:
                self._down()
            return False
        return True

    def _down(self) -> None:
        self._connection = None
        self._settled.clear()

    async def _run(self) -> None:
        """Hold a connection for as long as the socket is entered; the only reader of it."""
        try:
            while True:
                try:
                    with border():
                        await self._live()
                except HearthError as error:
                    self._down()
                    wait = self._board.lost(error)
                self._notice(*self._lanes)
                await asyncio.sleep(wait)
        except HearthError as final:
            self._failure = final
        finally:
            self._down()
            self._board.close(self._failure or HearthError("closed", "the socket is closed"))
            self._settled.set()
            self._notice(*self._lanes)

    async def _live(self) -> None:
        """Read one connection until it is lost, which raises."""
        clock = asyncio.get_running_loop().time
        async with opened(self._url, self._headers) as connection:
            self._board.connected()
            await self._flush(connection)
            self._connection = connection
            self._settled.set()
            heard = clock()
            while True:
                wait = self._board.wake(clock())
                await self._flush(connection)
                try:
                    async with asyncio.timeout(min(self._silence / 3, self._silence if wait is None else wait)):
                        text = await connection.recv()
                except TimeoutError:
                    await self._probe(connection, quiet=clock() - heard)
                else:
                    heard = clock()
                    self._receive(text, heard)

    async def _probe(self, connection: ClientConnection, quiet: float) -> None:
        if quiet >= self._silence:
            raise HearthError("silent", "nothing arrived for too long", retry=True)
        await connection.send(wire.PING)

    async def _flush(self, connection: ClientConnection) -> None:
        texts, self._board.outbox = self._board.outbox, []
        for text in texts:
            await connection.send(text)

    def _receive(self, text: str | bytes, now: float) -> None:
        route = self._board.receive(text, now)
        if route is not None:
            self._notice(route.lane)

    def _notice(self, *lanes: str) -> None:
        for name in lanes:
            self._lanes[name].notice()
            if name not in self._board.routes:
                del self._lanes[name]
