"""Two replicas of Hearth, the Redis between them, and what all three use."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from redis import Redis

from loadtest import processes
from loadtest.address import Address
from loadtest.crowd.plan import Crowd
from loadtest.redis import Traffic, redis_server
from loadtest.servers import MODEL, Recipe, Server, ServerError, free_port, running

_START_S: Final = 15.0


class Use(NamedTuple):
    """What was used so far: seconds of CPU by process, and of Redis."""

    cpu: Mapping[str, float]
    redis: Traffic


@dataclass(frozen=True, slots=True)
class Fleet:
    """Running servers: the replica that writes, the one that reads, and their Redis."""

    writer: Server
    reader: Server
    redis_pid: int
    redis: Redis

    def use(self) -> Use:
        """What they have used so far."""
        pids = {"writer": self.writer.pid, "reader": self.reader.pid, "redis": self.redis_pid}
        cpu = {name: sum(each.cpu_seconds for each in processes.look(pid).values()) for name, pid in pids.items()}
        return Use(cpu, Traffic.of(self.redis))

    def reader_megabytes(self) -> float:
        """The memory of the replica that reads."""
        return sum(each.megabytes for each in processes.look(self.reader.pid).values())

    def begin(self, logs: int, tokens: int) -> list[str]:
        """Start so many generations on the replica that writes, and return their ids."""
        connection = http.client.HTTPConnection(*Address.of(self.writer.url), timeout=_START_S)
        try:
            return [_begin(connection, number, tokens) for number in range(logs)]
        finally:
            connection.close()


@contextmanager
def fleet(crowd: Crowd, logs: Path) -> Iterator[Fleet]:
    """Start all of it, and end it. What the servers say goes to that folder. Raises ServerError."""
    # Nothing but `max_tokens` ends an answer.
    source = f"{MODEL}=scripted:?token_ms={crowd.token_ms}&tokens=1000000"
    with ExitStack() as stack:
        port = free_port()
        pid = stack.enter_context(redis_server(port, logs))
        client = stack.enter_context(Redis(port=port, socket_timeout=_START_S))
        options = ["--model", source, "--redis-url", f"redis://127.0.0.1:{port}", "--drain-s", "0.5"]
        command = [sys.executable, "-m", "gateway", "serve", "--port", "{port}", *options]
        writer, reader = (
            stack.enter_context(running(Recipe(name, command, "/readyz"), logs)) for name in ("writer", "reader")
        )
        yield Fleet(writer, reader, pid, client)


def _begin(connection: http.client.HTTPConnection, number: int, tokens: int) -> str:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": f"log {number}"}], "max_tokens": tokens}
    connection.request("POST", "/v1/streams", json.dumps(asked), {"content-type": "application/json"})
    answer = connection.getresponse()
    told = answer.read()
    if answer.status != 201:
        raise ServerError(f"no generation was begun: {answer.status} {told[:300]!r}")
    return str(json.loads(told)["id"])
