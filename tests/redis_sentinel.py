"""A master, its replica, and three Sentinels that watch them."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from gateway.redis.local import await_answer, end, find, launch
from tests.redis_server import HOST, RedisProcess, free_port, redis_process
from tests.serving import ask_until

SERVICE = "embers"


class Watched:
    """The group of servers; `url` names its Sentinels."""

    def __init__(self, master: RedisProcess, replica: RedisProcess, ports: list[int]) -> None:
        self.master = master
        self.replica = replica
        self.url = f"redis+sentinel://{','.join(f'{HOST}:{port}' for port in ports)}/{SERVICE}"
        self._ports = ports

    def failover(self) -> None:
        """Kill the master, and wait until every Sentinel names the replica in its place."""
        self.master.kill()
        ask_until(lambda: all(state["port"] == self.replica.port for state in self.states()), 30)
        ask_until(lambda: self.replica.ask("ROLE")[0] == b"master", 10)
        self.master, self.replica = self.replica, self.master

    def states(self) -> list[Any]:
        """What each Sentinel knows of the master."""
        states = []
        for port in self._ports:
            with Redis(host=HOST, port=port, socket_timeout=5) as client:
                states.append(client.sentinel_master(SERVICE))
        return states


@contextmanager
def sentinel() -> Iterator[Watched]:
    """Two servers and three Sentinels, all of which know each other; some seconds."""
    with ExitStack() as stack:
        master = stack.enter_context(redis_process())
        replica = stack.enter_context(redis_process("--replicaof", HOST, str(master.port)))
        ask_until(lambda: b"connected" in replica.ask("ROLE"), 10)
        watched = Watched(master, replica, [stack.enter_context(_sentinel(master.port)) for _ in range(3)])
        ask_until(lambda: all(s["num-other-sentinels"] == 2 and s["num-slaves"] == 1 for s in watched.states()), 30)
        yield watched


@contextmanager
def _sentinel(master: int) -> Iterator[int]:
    with tempfile.TemporaryDirectory(prefix="hearth-test-sentinel-") as folder:
        port = free_port()
        file = Path(folder, "sentinel.conf")
        file.write_text(
            f"bind {HOST}\nport {port}\n"
            f"sentinel monitor {SERVICE} {HOST} {master} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )
        process = launch([find(), str(file), "--sentinel"], folder)
        try:
            await_answer(process, folder, socket.AF_INET, (HOST, port))
            yield port
        finally:
            end(process)
