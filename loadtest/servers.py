"""The servers that are compared: how each is started, when it is ready, and that it goes away again."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

MODEL = "bench"
ENGINE = (
    "enforce_eager=true&distributed_executor_backend=uni&kv_cache_memory_bytes=1073741824"
    "&max_model_len=1024&max_num_seqs=256"
)
"""The engine's options on a machine without a GPU: nothing compiled, one process, a gigabyte of cache."""

_BOOT_SECONDS = 180.0
_STOP_SECONDS = 20.0

QUIET = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
"""It tells nobody and asks nobody."""

LEAN = {**QUIET, "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
"""And vLLM on a CPU: one engine process that waits without spinning, no thread pool that fights over the cores."""


class ServerError(RuntimeError):
    """A server that did not start."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to start a server; `{port}` stands for its port, and `ready` answers 200 once it can serve.

    One that relays to another has that one's recipe in `behind`, and `{behind}` stands for its URL.
    """

    name: str
    command: Sequence[str]
    ready: str
    environment: Mapping[str, str] = field(default_factory=lambda: LEAN)
    folder: Path | None = None
    """Where it is started; None where the load test was."""
    behind: Recipe | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready. `behind` is the process of the one that it relays to, a tree of its own."""

    name: str
    url: str
    pid: int
    behind: int | None = None


@contextmanager
def running(recipe: Recipe, logs: Path) -> Iterator[Server]:
    """Start a server and the one behind it, wait until they are ready, and end them with all their children."""
    with ExitStack() as stack:
        behind = None
        if recipe.behind:
            behind = stack.enter_context(running(replace(recipe.behind, name=f"{recipe.name}-behind"), logs))
        server, process = stack.enter_context(started(recipe, logs, behind.url if behind else ""))
        _wait_until_ready(process, int(server.url.rpartition(":")[2]), recipe, logs / f"{recipe.name}.log")
        yield replace(server, behind=behind.pid if behind else None)


@contextmanager
def started(recipe: Recipe, logs: Path, behind: str = "") -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    """Start a server, and end it with all its children; it may not listen yet."""
    port = free_port()

    def filled(text: str) -> str:
        return text.replace("{port}", str(port)).replace("{behind}", behind)

    command = [filled(part) for part in recipe.command]
    given = {name: filled(value) for name, value in recipe.environment.items()}
    # Without bytecode every process compiles vLLM's thousands of modules anew.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # What is kept where the load test was started is somebody's own: it neither asks their keys nor fills their books.
    inherited["HEARTH_STATE_FILE"] = str((logs / f"{recipe.name}.db").resolve())
    log = logs / f"{recipe.name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=inherited | given,
            cwd=recipe.folder,
            start_new_session=True,
        )
        try:
            yield Server(recipe.name, f"http://127.0.0.1:{port}", process.pid), process
        finally:
            _end(process)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, recipe: Recipe, log: Path) -> None:
    until = time.monotonic() + _BOOT_SECONDS
    while not answers(port, recipe.ready):
        if process.poll() is not None or time.monotonic() > until:
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise ServerError(f"{recipe.name} did not become ready; the end of {log}:\n{tail}")
        time.sleep(0.25)


def answers(port: int, path: str) -> bool:
    """Whether a server on this machine answers that path with 200 now; it blocks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    # Children that a killed parent left behind are of its session, which is ours alone.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """Return a port of the system's choice."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
