"""A real `vllm serve` on this machine's CPU, as users have one somewhere."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx

from tests.serving import ask_until

MODEL = Path(__file__).parents[3] / "engines" / "campfire" / "model"

# One engine process that waits without spinning, and no thread pool that fights over the cores.
_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class VllmServe:
    """One server, on a port that it keeps from one life to the next. `name` may be several, parted by blanks."""

    def __init__(self, model: Path, name: str, *options: str, key: str | None = None) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}/v1"
        served = f"--served-model-name {name} --host 127.0.0.1 --port {port} --enforce-eager"
        module = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
        self._command = [*module, *served.split(), "--distributed-executor-backend", "uni", *options]
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._environment = inherited | _ENVIRONMENT | ({"VLLM_API_KEY": key} if key else {})
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started, and not killed."""
        return self._child is not None

    def start(self) -> None:
        """Begin a life; returns at once."""
        self._child = subprocess.Popen(
            self._command,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
        )

    def wait(self, seconds: float) -> None:
        """Wait until it answers."""
        child = self._child
        assert child is not None
        ask_until(lambda: child.poll() is not None or self._well(), seconds)
        assert child.poll() is None, os.pread(self._output.fileno(), 1 << 20, 0).decode(errors="replace")[-3000:]

    def kill(self) -> None:
        """End it with all its processes at once, as `kill -9` does; harmless when it is gone."""
        child, self._child = self._child, None
        if child is not None:
            # Children that a killed parent left behind are of its session, which is ours alone.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def close(self) -> None:
        """End it as a user does, and what that leaves."""
        if self._child is not None:
            self._child.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(20)
        self.kill()
        self._output.close()

    def _well(self) -> bool:
        try:
            return httpx.get(f"http://{self.address}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def vllm_serve(model: Path, name: str, *options: str, key: str | None = None) -> Iterator[str]:
    """Its base URL, once it answers; gone with all its processes afterwards."""
    with running(VllmServe(model, name, *options, key=key)) as [server]:
        yield server.url


@contextmanager
def running(*servers: VllmServe, seconds: float = 150) -> Iterator[tuple[VllmServe, ...]]:
    """All of them, booted at the same time; gone with all their processes afterwards."""
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.close)
            server.start()
        for server in servers:
            server.wait(seconds)
        yield servers
