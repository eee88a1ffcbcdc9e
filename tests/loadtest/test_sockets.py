"""Many connections need room, and leave it as they found it."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys

import pytest

from loadtest.plan import PlanError
from loadtest.sockets import allow, dropped

RAISED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 1000))
from loadtest.sockets import allow
allow(500)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 500)
"""


def test_a_process_may_have_as_many_sockets_as_it_asks_for() -> None:
    done = subprocess.run([sys.executable, "-c", RAISED], capture_output=True, text=True, timeout=30)
    assert done.stdout == "True\n"


def test_more_than_the_system_allows_is_refused() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with pytest.raises(PlanError, match="more than this system allows"):
        allow(hard)


def test_a_dropped_connection_tells_the_other_side_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        with theirs:
            dropped(ours)
            with pytest.raises(ConnectionResetError):
                theirs.recv(1)
