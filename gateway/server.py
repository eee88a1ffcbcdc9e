"""Runs the application on uvicorn, and drains it before the sockets close."""

from __future__ import annotations

import asyncio
import socket
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from gateway.app import build
from gateway.connections import WebSockets, http
from gateway.core import Gateway
from gateway.settings import Settings


class Server(uvicorn.Server):
    """A uvicorn server that lets running generations end before it closes their connections.

    The first signal starts the drain; the second ends it at once.
    """

    def __init__(self, config: uvicorn.Config, gateway: Gateway, drain_s: float) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._drain_s = drain_s
        self._drain: asyncio.Task[None] | None = None
        self._signals = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second signal closes the connections that are left."""
        self._signals += 1
        if self._signals == 1:
            self._loop.call_soon_threadsafe(self._begin_drain, sig)
        else:
            self.force_exit = self.should_exit = True

    def _begin_drain(self, sig: int) -> None:
        self._drain = self._loop.create_task(self._drain_then_exit(sig))

    async def _drain_then_exit(self, sig: int) -> None:
        await self._gateway.drain(self._drain_s)
        super().handle_exit(sig, None)


def configure(app: Starlette, settings: Settings) -> uvicorn.Config:
    """How uvicorn is to run the application."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        http=http(settings.body_deadline_s),
        ws=WebSockets,
        access_log=False,
        server_header=False,
        # Lean frames gain little from deflate and pay for it per reader; a prompt needs no megabytes.
        ws_per_message_deflate=False,
        ws_max_size=settings.max_body_bytes,
        timeout_graceful_shutdown=5,
    )


def serve(settings: Settings) -> None:
    """Listen, and run until a signal ends it."""
    app = build(settings)
    Server(configure(app, settings), app.state.gateway, settings.drain_s).run()
