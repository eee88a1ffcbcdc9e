"""What the server holds at a moment: its memory, descriptors, tasks, objects; and its Redis."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from redis import Redis

from loadtest import processes
from loadtest.servers import ServerError
from loadtest.spent import sums

_DEADLINE_S: Final = 20.0
_LOOK_S: Final = 0.01
_PREDICTIONS: Final = re.compile(r'^hearth_generations_started_total\{.*surface="replicate".*\} (\S+)', re.MULTILINE)


class Sample(NamedTuple):
    """One look. Redis's are 0 where there is none; `runs` and `predictions` are all that were begun so far."""

    seconds: float
    rss_mb: float
    own_mb: float
    """Of that, what no other process shares."""
    objects: float
    """That the garbage collector knows."""
    tasks: float
    descriptors: float
    sockets: float
    running: float
    readers: float
    redis_mb: float
    redis_keys: float
    redis_clients: float
    cpu_s: float
    runs: float
    predictions: float


class Probe:
    """Looks at one server, whose heap tells of itself in that file; it blocks."""

    def __init__(self, pid: int, port: int, heap: Path, redis: Redis | None) -> None:
        self._pid = pid
        self._port = port
        self._heap = heap
        self._redis = redis
        self._began = time.monotonic()
        self.kinds: list[Mapping[str, int]] = []
        """How many objects of which type there were, at each sample."""

    def look(self) -> Sample:
        """Everything at once. Raises ServerError, OSError."""
        heap, text = self._told(), self._metrics()
        told = sums(text)
        self.kinds.append(heap["kinds"])
        memory = processes.memory(self._pid)
        links = processes.descriptors(self._pid)
        redis: Mapping[str, Any] = self._redis.info() if self._redis is not None else {}
        return Sample(
            seconds=time.monotonic() - self._began,
            rss_mb=memory["Rss"],
            own_mb=memory["Private_Clean"] + memory["Private_Dirty"],
            objects=heap["objects"],
            tasks=heap["tasks"],
            descriptors=len(links),
            sockets=sum(link.startswith("socket:") for link in links),
            running=told["hearth_running_generations"],
            readers=told["hearth_readers"],
            redis_mb=redis.get("used_memory", 0) / (1 << 20),
            redis_keys=self._redis.dbsize() if self._redis is not None else 0,
            redis_clients=redis.get("connected_clients", 0),
            cpu_s=processes.cpu_seconds(self._pid),
            runs=told["hearth_generations_started_total"],
            predictions=sum(map(float, _PREDICTIONS.findall(text))),
        )

    def _told(self) -> dict[str, Any]:
        self._heap.unlink(missing_ok=True)
        os.kill(self._pid, signal.SIGUSR1)
        until = time.monotonic() + _DEADLINE_S
        while not self._heap.exists():
            if time.monotonic() > until:
                raise ServerError("the server does not tell of its heap")
            time.sleep(_LOOK_S)
        told: dict[str, Any] = json.loads(self._heap.read_text())
        return told

    def _metrics(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_DEADLINE_S)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()
