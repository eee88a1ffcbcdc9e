"""A bare socket writer, the physical floor: no loop, no parser, one send for each frame.

`python -m loadtest.guard.floor PORT` answers `GET /READERS/FRAMES/BYTES/PACE_MS`: when so many readers have come, each
gets so many frames of so many bytes, all of them in step, and is left. The first reader says when, by one more byte:
what the readers' coming cost can then be told apart.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack
from typing import Final

_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
_DEADLINE_S: Final = 30.0


def frame(size: int) -> bytes:
    """A server-sent event of that many bytes."""
    return b"data: ".ljust(size - 2, b"~") + b"\n\n"


def main() -> None:
    """Serve one crowd after the other, until a signal ends it."""
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096) as server:
        while True:
            _serve(server)


def _serve(server: socket.socket) -> None:
    with ExitStack() as stack:
        readers = [stack.enter_context(_accepted(server))]
        many, frames, size, pace_ms = map(int, readers[0].recv(4096).split()[1].split(b"/")[1:])
        while len(readers) < many:
            readers.append(stack.enter_context(_accepted(server)))
            readers[-1].recv(4096)
        for reader in readers:
            reader.sendall(_HEAD)
        readers[0].recv(1)
        _write(readers, frames, frame(size), pace_ms / 1000)


def _write(readers: list[socket.socket], frames: int, packed: bytes, pace_s: float) -> None:
    due = time.monotonic()
    for _ in range(frames):
        time.sleep(max(0.0, due - time.monotonic()))
        due += pace_s
        for reader in readers:
            reader.sendall(packed)


def _accepted(server: socket.socket) -> socket.socket:
    reader, _ = server.accept()
    reader.settimeout(_DEADLINE_S)
    reader.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return reader


if __name__ == "__main__":
    main()
