"""One of several processes that answer connections on one port, started by the supervisor.

Run as `python -m gateway.worker CONTROL LISTENING METRICS`: two inherited sockets, by their numbers, and a folder.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from engines.pool import Pool
from engines.vllm import sharing
from engines.vllm.wire import Splitter
from gateway import stderr
from gateway.control import Begin, Channel, Draining, Serving, ToWorker, at_worker
from gateway.settings import Settings, unpack

if TYPE_CHECKING:
    from gateway.watcher import Serving as Server


def main(words: Sequence[str]) -> None:
    """Serve until a signal ends it, or the supervisor is gone."""
    control, listening = (socket.socket(fileno=int(word)) for word in words[:2])
    # prometheus_client looks for it while it is imported, which the server does.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = words[2]
    import gateway.server  # noqa: F401

    orders = _await_orders(control)
    if orders is not None:
        settings = unpack(orders.settings)
        stderr.configure(settings.log_level)
        Worker(words[2], orders).run(settings, control, listening)


def _await_orders(control: socket.socket) -> Begin | None:
    split = Splitter()
    decode = msgspec.msgpack.Decoder(Begin).decode
    while data := control.recv(65536):
        for body in split.feed(data):
            return decode(body)
    return None


class Worker:
    """The server's watcher here: tells the supervisor what the command line tells when there is one process alone."""

    def __init__(self, metrics: str, orders: Begin) -> None:
        self._metrics = metrics
        self._orders = orders
        self._pool: Pool | None = None
        self._channel: Channel[ToWorker] = at_worker(self._hear, self._orphaned)
        self._asker = sharing.Asker(self._channel.say)

    def run(self, settings: Settings, control: socket.socket, listening: socket.socket) -> None:
        """Serve."""
        from gateway import garbage
        from gateway.app import Company, build
        from gateway.server import Server, configure

        company = Company(self._asker.hosting, self._metrics, self._orders.server, self._orders.redis)
        app = build(settings, company=company)
        garbage.settle()
        server = Server(configure(app, settings), app.state.gateway, settings.drain_s, self)
        self._pool = app.state.gateway.pool

        async def serve() -> None:
            await asyncio.get_running_loop().create_unix_connection(lambda: self._channel, sock=control)
            await server.serve([listening])

        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(serve())

    def listening(self, server: Server) -> None:
        self._channel.say(Serving())

    def draining(self, running: int) -> None:
        self._channel.say(Draining(running))

    async def stopped(self) -> None: ...

    def _hear(self, message: ToWorker) -> None:
        match message:
            case sharing.Warm():
                if self._pool is not None:
                    # Up for one is up for all: what broke with the last host, or was never asked for, is there now.
                    self._pool.boot(self._pool.seats[message.model])
            case Begin():
                pass
            case _:
                self._asker.hear(message)

    def _orphaned(self) -> None:
        # The supervisor is dead, and the engines with it. Nobody would end this process, or tidy up behind it.
        shutil.rmtree(self._metrics, ignore_errors=True)
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
