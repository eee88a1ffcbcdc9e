"""Very many connections from one process."""

from __future__ import annotations

import resource
import socket
import struct
from typing import Final

from loadtest.plan import PlanError

_SPARE: Final = 256
"""Descriptors for everything else."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)


def allow(count: int) -> None:
    """Let this process, and those that it starts, have so many sockets. Raises PlanError where that is forbidden."""
    wanted = count + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise PlanError(f"{count} connections are more than this system allows a process: ulimit -Hn says {hard}")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def dropped(connection: socket.socket) -> None:
    """Close a connection at once, so that its port is free again."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    connection.close()
