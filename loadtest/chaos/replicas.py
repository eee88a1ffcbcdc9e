"""The processes that are harmed: replicas of Hearth, and the Redis between them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from loadtest.servers import ServerError, answers

_START_S: Final = 30.0
_BOOT_S: Final = 300.0
_STOP_S: Final = 60.0
_LOOK_S: Final = 0.05
_CRASH: Final = re.compile(r"^Traceback .*?^(?=\S)[^\n]*", re.MULTILINE | re.DOTALL)

_FIND_REDIS: Final = "from gateway.redis.local import find; print(find())"


def free_port() -> int:
    """A port of the system's choice."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Process:
    """A process that is killed, frozen and started again; all it says goes to one log."""

    name: str
    command: Sequence[str]
    log: Path
    port: int
    troubles: list[tuple[float, float]] = field(default_factory=list)
    """When it was not to be relied on (monotonic seconds)."""
    _process: subprocess.Popen[bytes] | None = None
    _trouble_since: float | None = None

    def start(self) -> None:
        """Start it, without waiting."""
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                self.command, stdout=sink, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        assert self._process is not None
        self._process.send_signal(number)

    def trouble(self) -> None:
        """From now on it is not to be relied on."""
        if self._trouble_since is None:
            self._trouble_since = time.monotonic()

    def recovered(self) -> None:
        """It is well again."""
        if self._trouble_since is not None:
            self.troubles.append((self._trouble_since, time.monotonic()))
            self._trouble_since = None

    def harmed_since(self, moment: float) -> bool:
        """Whether it was in trouble at any time since then, or shortly before."""
        return self._trouble_since is not None or any(end >= moment - 1.0 for _, end in self.troubles)

    async def gone(self) -> None:
        """Wait until it has ended. Raises ServerError when it does not."""
        until = time.monotonic() + _STOP_S
        while self._process is not None and self._process.poll() is None:
            if time.monotonic() > until:
                raise ServerError(f"{self.name} does not end; see {self.log}")
            await asyncio.sleep(_LOOK_S)

    async def ready(self, path: str, seconds: float = _START_S) -> None:
        """Wait until it answers 200 there. Raises ServerError when it does not."""
        until = time.monotonic() + seconds
        while not await asyncio.to_thread(answers, self.port, path):
            if time.monotonic() > until or (self._process is not None and self._process.poll() is not None):
                raise ServerError(f"{self.name} does not answer; see {self.log}")
            await asyncio.sleep(_LOOK_S)

    def close(self) -> None:
        """End it with all its children, in whatever state it is."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        # Children that a killed parent left behind are of its session, which is ours alone.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def crashes(self) -> list[str]:
        """The tracebacks in its log: the last lines of each."""
        return [found[0][-400:] for found in _CRASH.finditer(self.log.read_text(errors="replace"))]


class Replica(Process):
    """A replica of Hearth on a port that it keeps."""

    def __init__(self, name: str, folder: Path, options: Sequence[str], ready: str = "/healthz") -> None:
        port = free_port()
        command = [sys.executable, "-m", "gateway", "serve", "--port", str(port), *options]
        super().__init__(name, command, folder / f"{name}.log", port)
        self.ready_at = ready

    async def up(self) -> None:
        """Wait until it takes work. Raises ServerError."""
        await self.ready(self.ready_at, _BOOT_S if self.ready_at == "/readyz" else _START_S)


class Store(Process):
    """A Redis that writes everything to disk before it answers, unless told to forget it."""

    def __init__(self, folder: Path) -> None:
        found = subprocess.run([sys.executable, "-c", _FIND_REDIS], capture_output=True, text=True, timeout=_START_S)
        if found.returncode:
            raise ServerError(found.stderr.strip().splitlines()[-1])
        port = free_port()
        place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
        keep = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        super().__init__("redis", [found.stdout.strip(), *place, *keep], folder / "redis.log", port)
        self._folder = folder
        self.url = f"redis://127.0.0.1:{port}"

    def forget(self) -> None:
        """Delete what it has written; only while it does not run."""
        for file in self._folder.glob("appendonly*"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()

    async def up(self) -> None:
        """Wait until it answers. Raises ServerError."""
        until = time.monotonic() + _START_S
        while not await asyncio.to_thread(self._pings):
            if time.monotonic() > until:
                raise ServerError(f"redis does not answer; see {self.log}")
            await asyncio.sleep(_LOOK_S)

    def cut(self, kind: str) -> int:
        """Cut its connections of a kind, `pubsub` or `normal`; how many there were."""
        with Redis(port=self.port, socket_timeout=5) as client:
            return int(client.execute_command("CLIENT", "KILL", "TYPE", kind))

    def _pings(self) -> bool:
        try:
            with Redis(port=self.port, socket_timeout=5) as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False
