"""A line to a server, which is cut while an answer is awaited."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Line:
    """Passes connections on to a server; the first `cuts` of them end before anything has come back."""

    def __init__(self, url: str, cuts: int) -> None:
        address = urlsplit(url)
        self._server = (str(address.hostname), int(address.port or 80))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._cuts = cuts
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections = 0

    def run(self) -> None:
        """Until it is closed."""
        with suppress(OSError):
            while True:
                caller, _ = self._listening.accept()
                threading.Thread(target=self._pass, args=(caller,), daemon=True).start()

    def _pass(self, caller: socket.socket) -> None:
        self.connections += 1
        cut = self.connections <= self._cuts
        with caller, socket.create_connection(self._server) as server:
            threading.Thread(target=_pour, args=(caller, server), daemon=True).start()
            if cut:
                # By then the server has begun; it holds its answer back for as long as the caller is willing to wait.
                server.settimeout(0.3)
                with suppress(TimeoutError):
                    server.recv(1)
            else:
                _pour(server, caller)
            for end in (server, caller):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)


@contextmanager
def cutting(url: str, cuts: int) -> Iterator[Line]:
    """Such a line, until the block ends."""
    line = Line(url, cuts)
    passing = threading.Thread(target=line.run)
    passing.start()
    try:
        yield line
    finally:
        line.close()
        passing.join(10)
