"""The gateways at one engine host: the owner, with whom it ends, and guests who come and go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from engines.vllm import wire

if TYPE_CHECKING:
    from engines.vllm.host import Host

OWNER: Final = 0
"""The number of the first gateway."""


class Guests:
    """Everybody whom this host serves."""

    def __init__(self, place: Callable[[int], Host]) -> None:
        self.over = asyncio.Event()
        """Set when the host is to end."""
        self.tasks: set[asyncio.Task[None]] = set()
        """What is under way for any of them; an abort is there for longer than the guest that it is for."""
        self._place = place
        self._count = 0
        self._hosts: dict[int, Host] = {}
        self._ready: wire.Ready | None = None

    async def seat(self, link: socket.socket) -> Host:
        """Serve the gateway at the other end, which owns this host if it is the first."""
        host = self._hosts[self._count] = self._place(self._count)
        self._count += 1
        await asyncio.get_running_loop().create_unix_connection(lambda: host, sock=link)
        return host

    def open(self, ready: wire.Ready) -> None:
        """Tell the owner that the engine is warm, and then every guest who comes."""
        self._ready = ready
        self._hosts[OWNER].say(ready)

    async def greet(self, path: str) -> None:
        """Serve the gateway that listens there, if it still does."""
        assert self._ready is not None
        link = socket.socket(socket.AF_UNIX)
        link.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(link, path)
        except OSError:
            link.close()
        else:
            (await self.seat(link)).say(self._ready)
        self._hosts[OWNER].say(wire.Greeted(path))

    def gone(self, number: int) -> None:
        """A gateway has closed its socket."""
        if number == OWNER:
            self.over.set()
        else:
            self._hosts.pop(number).leave()

    def died(self) -> None:
        """The engine is dead: tell everybody, and end."""
        if not self.over.is_set():
            self.over.set()
            for host in self._hosts.values():
                # vLLM's own sentence sends the reader to a stack trace, which stands in the server's log.
                host.say(wire.Died("engine_died", "vLLM's engine core died."))
