"""Real Redis servers for tests: one that all share, and servers of one's own to do harm to."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.redis.local import LocalRedis, await_answer, find, launch

HOST = "127.0.0.1"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """One server for the whole run. Use ids of your own, and delete nothing that is not yours."""
    with LocalRedis() as server:
        yield server.url


def free_port() -> int:
    """A port of the system's choice, and the one that a Cluster's node adds 10,000 for is free too."""
    while True:
        with socket.create_server((HOST, 0)) as one:
            port = int(one.getsockname()[1])
            try:
                socket.create_server((HOST, port + 10_000)).close()
            except (OSError, OverflowError):
                continue
            return port


class RedisProcess:
    """A server on a port of its own, which it keeps through restarts; it writes all it knows to disk."""

    def __init__(self, folder: str, *words: str) -> None:
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}"
        self._folder = folder
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self._waking: threading.Timer | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        place = ["--bind", HOST, "--port", str(self.port)]
        memory = ["--save", "", "--appendonly", "yes"]
        self._process = launch([find(), *place, *memory, *self._words], self._folder)
        await_answer(self._process, self._folder, socket.AF_INET, (HOST, self.port))

    def kill(self) -> None:
        """End it as `kill -9` does; harmless when it is not running."""
        if self._waking is not None:
            self._waking.cancel()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self, keep_data: bool) -> None:
        """Kill it and start it again: with what it held, or empty."""
        self.kill()
        if not keep_data:
            for file in Path(self._folder).glob("appendonly*"):
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        self.start()

    def pause(self, seconds: float) -> None:
        """Stand still from now on for so long, with all connections open."""
        self._signal(signal.SIGSTOP)
        self._waking = threading.Timer(seconds, self._signal, [signal.SIGCONT])
        self._waking.daemon = True
        self._waking.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stand still meanwhile, with all connections open."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def config(self, name: str, value: str) -> None:
        """Set one of its options, as in `config("maxmemory", "2mb")`."""
        self.ask("CONFIG", "SET", name, value)

    def kill_clients(self, type: str) -> int:
        """Cut the connections of a type: `normal` or `pubsub`; how many there were."""
        return int(self.ask("CLIENT", "KILL", "TYPE", type))

    def ask(self, *words: Any) -> Any:
        """Its answer to one command. It blocks, and so does the loop."""
        with Redis(host=HOST, port=self.port, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            return client.execute_command(*words)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def redis_process(*words: str) -> Iterator[RedisProcess]:
    """A running server of one's own. `words` are options of redis-server, as `"--maxmemory", "2mb"`."""
    with tempfile.TemporaryDirectory(prefix="hearth-test-redis-") as folder:
        server = RedisProcess(folder, *words)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture
def redis_server() -> Iterator[RedisProcess]:
    """A server of the test's own, which it may kill."""
    with redis_process() as running:
        yield running


def let_pass(url: str, seconds: float, *names: str) -> None:
    """Let Redis' own time pass for what is due by the sorted sets of these names (patterns; their scores are in ms)."""
    with Redis.from_url(url) as client:
        for pattern in names:
            for name in client.scan_iter(pattern):
                for each in client.zrange(name, 0, -1):
                    client.zincrby(name, -seconds * 1000, each)
