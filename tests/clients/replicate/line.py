"""A line to a server: one that is cut while an answer is awaited, or one behind TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.pumping import pump
from tests.redis_server import HOST
from tests.redis_tls import certify

CUT_S = 0.3
"""By then a server has begun; it holds its answer back for as long as its caller is willing to wait."""


class Line:
    """Passes connections on to a server; the first `cuts` of them end before anything has come back."""

    def __init__(self, cuts: int, context: ssl.SSLContext | None) -> None:
        self._cuts = cuts
        self._context = context
        self._server: tuple[str, int] | None = None
        self._stands = threading.Event()
        self.connections = 0
        self.url = ""

    def lead_to(self, url: str) -> None:
        """Pass what comes from now on to that server."""
        address = urlsplit(url)
        self._server = (str(address.hostname), int(address.port or 80))

    def await_standing(self) -> None:
        assert self._stands.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)

    async def run(self) -> None:
        """Until it is closed."""
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        handlers: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handlers.add(asyncio.create_task(self._pass(reader, writer)))

        front = await asyncio.start_server(accept, HOST, 0, ssl=self._context)
        self.url = f"http{'s' if self._context else ''}://{HOST}:{front.sockets[0].getsockname()[1]}"
        self._stands.set()
        await self._over.wait()
        front.close()
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._server
        self.connections += 1
        cut = self.connections <= self._cuts
        behind, ahead = await asyncio.open_connection(*self._server)
        there = asyncio.create_task(pump(reader, ahead))
        back: asyncio.Task[object] = asyncio.create_task(behind.read(1) if cut else pump(behind, writer))
        try:
            await asyncio.wait((there, back), timeout=CUT_S if cut else None, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pumping in (there, back):
                pumping.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            for end in (ahead, writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()


@contextmanager
def line(cuts: int = 0, context: ssl.SSLContext | None = None) -> Iterator[Line]:
    """Such a line, until the block ends."""
    made = Line(cuts, context)
    passing = threading.Thread(target=asyncio.run, args=(made.run(),))
    passing.start()
    made.await_standing()
    try:
        yield made
    finally:
        made.close()
        passing.join(10)


@contextmanager
def secure_line(folder: Path) -> Iterator[tuple[Line, dict[str, str]]]:
    """A line behind TLS, and the variables that have clients believe its certificate."""
    authority = folder / "authority.pem"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certify(folder, authority))
    with line(context=context) as made:
        yield made, {"SSL_CERT_FILE": str(authority), "NODE_EXTRA_CA_CERTS": str(authority)}
