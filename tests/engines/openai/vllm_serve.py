"""A real `vllm serve` on this machine's CPU, as users have one somewhere."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def vllm_serve(model: Path, name: str, *options: str, key: str | None = None) -> Iterator[str]:
    """Its base URL, once it answers; gone with all its processes afterwards."""
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    served = f"--served-model-name {name} --host 127.0.0.1 --port {port} --enforce-eager"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    secret = {"VLLM_API_KEY": key} if key else {}
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            [*command, *served.split(), "--distributed-executor-backend", "uni", *options],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=inherited | _ENVIRONMENT | secret,
            start_new_session=True,
        )
        try:
            ask_until(lambda: child.poll() is not None or _well(port), 150)
            assert child.poll() is None, os.pread(output.fileno(), 1 << 20, 0).decode(errors="replace")[-3000:]
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(20)
            # Children that a killed parent left behind are of its session, which is ours alone.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _well(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
