"""Servers for tests: inside this loop, with all their parts at hand, or as the process that a user starts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import uvicorn

from gateway.app import build
from gateway.core import Gateway
from gateway.server import configure
from gateway.settings import Settings


class Served(NamedTuple):
    """A server in this loop."""

    url: str
    gateway: Gateway


class Process(NamedTuple):
    """A server as a process of its own."""

    url: str
    pid: int


@asynccontextmanager
async def serving(*models: str, **settings: Any) -> AsyncIterator[Served]:
    """The whole server on a real socket, in this loop. `models` are named as on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        own = {"state_file": Path(folder) / "hearth.db", "files": str(Path(folder) / "files")}
        chosen = Settings(models=models or ("demo=scripted:",), port=0, **{**own, **settings})
        async with _serving(chosen) as served:
            yield served


@asynccontextmanager
async def _serving(chosen: Settings) -> AsyncIterator[Served]:
    app = build(chosen)
    config = configure(app, chosen)
    config.log_level = "warning"
    server = uvicorn.Server(config)
    # The signals stay with the test runner.
    server.capture_signals = contextmanager(lambda: iter([None]))  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:
                if task.done():
                    task.result()
                await asyncio.sleep(0)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"http://127.0.0.1:{port}", app.state.gateway)
    finally:
        await app.state.gateway.drain(0)
        server.should_exit = True
        await task


@contextmanager
def process(*arguments: str, ready: bool = True, deadline_s: float = 90.0) -> Iterator[Process]:
    """`hearth serve` as a user starts it, on a port of the system's choice; ended by SIGTERM, and gone afterwards."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--port", "0", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={
                "HEARTH_STATE_FILE": f"{folder}/hearth.db",
                "HEARTH_FILES": f"{folder}/files",
                **os.environ,
                "PYTHONUNBUFFERED": "1",
            },
        )
        try:
            url = _wait_for_url(child, output, deadline_s)
            if ready:
                _wait_until_ready(url, child, output, deadline_s)
            yield Process(url, child.pid)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(60)


def _said(output: Any) -> str:
    # The child shares the file's offset: read by position, move nothing.
    return os.pread(output.fileno(), 1 << 20, 0).decode(errors="replace")


def _wait_for_url(child: subprocess.Popen[bytes], output: Any, deadline_s: float) -> str:
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        found = re.search(r"http://[\w.:\[\]]+:\d+", _said(output))
        if found:
            return found[0]
        if child.poll() is not None:
            raise RuntimeError(f"hearth serve ended with {child.returncode}:\n{_said(output)}")
        _nap()
    raise TimeoutError(f"hearth serve named no address in {deadline_s} s:\n{_said(output)}")


def _wait_until_ready(url: str, child: subprocess.Popen[bytes], output: Any, deadline_s: float) -> None:
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if httpx.get(f"{url}/readyz", timeout=10).status_code == 200:
            return
        if child.poll() is not None:
            raise RuntimeError(f"hearth serve ended with {child.returncode}:\n{_said(output)}")
        _nap()
    raise TimeoutError(f"hearth serve was not ready in {deadline_s} s:\n{_said(output)}")


def _nap() -> None:
    # Another process cannot be awaited: it is asked, now and then, until a deadline.
    time.sleep(0.05)


def ask_until(happened: Callable[[], bool], seconds: float) -> None:
    """Ask other processes, now and then, until it happened. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError
        _nap()
