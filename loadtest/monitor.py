"""What a Redis is sent, as its MONITOR tells: commands of a script's own are told apart from those of clients."""

from __future__ import annotations

import socket
import time
from typing import NamedTuple

_WITHIN = b" lua] "
_LINE = b"\r\n+"
_DEADLINE_S = 5.0


class Sent(NamedTuple):
    """Commands that came over connections, and commands that scripts ran."""

    by_clients: int
    within_scripts: int


def monitor(port: int, after_s: float, seconds: float) -> Sent:
    """Listen for so long, `after_s` from now; it blocks, and slows that Redis down. Raises OSError."""
    time.sleep(after_s)
    told = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=_DEADLINE_S) as connection:
        connection.sendall(b"*1\r\n$7\r\nMONITOR\r\n")
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                data = connection.recv(1 << 20)
            except TimeoutError:
                break
            if not data:
                raise ConnectionResetError("Redis ended the connection")
            told += data
    return count(bytes(told))


def count(told: bytes) -> Sent:
    """Read what MONITOR said, whose first line says that it begins. Line breaks in values are escaped there."""
    lines, within = told.count(_LINE), told.count(_WITHIN)
    return Sent(lines - within, within)
