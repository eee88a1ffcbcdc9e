"""Runs the application on uvicorn, and drains it before the sockets close."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from engines.seat import Seat
from gateway import garbage
from gateway.app import build
from gateway.connections import WebSockets, http
from gateway.core import Gateway
from gateway.listening import listen
from gateway.settings import Settings
from gateway.watcher import Watcher


class Server(uvicorn.Server):
    """A uvicorn server that lets running generations end before it closes their connections.

    The first signal starts the drain; the second ends it at once.
    """

    def __init__(self, config: uvicorn.Config, gateway: Gateway, drain_s: float, watcher: Watcher) -> None:
        super().__init__(config)
        self.gateway = gateway
        self._drain_s = drain_s
        self._watcher = watcher
        self._drain: asyncio.Task[None] | None = None
        self._signals = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._watcher.listening(self)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection, then every engine."""
        await super().shutdown(sockets)
        await self._watcher.stopped()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    @property
    def models(self) -> Sequence[str]:
        """What it serves."""
        return list(self.seats)

    @property
    def seats(self) -> Mapping[str, Seat]:
        """Its models, whose boots can be followed."""
        return self.gateway.pool.seats

    def give_up(self) -> None:
        """End at once."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second signal closes the connections that are left."""
        self._signals += 1
        if self._signals == 1:
            self._loop.call_soon_threadsafe(self._begin_drain, sig)
        else:
            self.force_exit = self.should_exit = True

    def _begin_drain(self, sig: int) -> None:
        self._watcher.draining(self.gateway.running)
        self._drain = self._loop.create_task(self._drain_then_exit(sig))

    async def _drain_then_exit(self, sig: int) -> None:
        await self.gateway.drain(self._drain_s)
        super().handle_exit(sig, None)


def configure(app: Starlette, settings: Settings) -> uvicorn.Config:
    """How uvicorn is to run the application."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        # Logging is the process's own business, and set up by the command line.
        log_config=None,
        http=http(settings.body_deadline_s),
        ws=WebSockets,
        access_log=False,
        server_header=False,
        # Lean frames gain little from deflate and pay for it per reader; a prompt needs no megabytes.
        ws_per_message_deflate=False,
        ws_max_size=settings.max_body_bytes,
        timeout_graceful_shutdown=5,
    )


def serve(settings: Settings, watcher: Watcher) -> None:
    """Listen, and run until a signal ends it. Raises SettingsError, and EngineError `bad_model_source`."""
    app = build(settings)
    garbage.settle()
    with listen(settings.host, settings.port) as opened:
        Server(configure(app, settings), app.state.gateway, settings.drain_s, watcher).run([opened])
