"""Runs a program that must not outlive whoever asked for it. The standard library alone: any Python runs it as a file.

`python -I -S leash.py GRACE_S PROGRAM ARGUMENT...` runs the program in a session of its own until it ends, or until
stdin closes, as it does when the asker is gone, however it went: then the program is asked to end, and after so many
seconds killed. Whatever it began that is left then is killed too. The exit status is the program's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(grace_s: float, words: list[str]) -> int:
    """Run the program to its end, and bury what it leaves."""
    # What the program leaves behind becomes a child of this process, and can be found.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # Nothing but the program runs here yet: no other thread could hold a lock that the fork copies.
    program = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_parent)
    threading.Thread(target=_end_with_stdin, args=(program, grace_s), daemon=True).start()
    status = program.wait()
    _signal(program.pid, signal.SIGKILL)
    _bury()
    return status if status >= 0 else 128 - status


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def _end_with_stdin(program: subprocess.Popen[bytes], grace_s: float) -> None:
    while os.read(0, 1024):
        pass
    _signal(program.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        program.wait(grace_s)
    _signal(program.pid, signal.SIGKILL)


def _bury() -> None:
    """Kill every child that is left, and the children that they leave."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with suppress(OSError):
        while left := children.read_text().split():
            for pid in map(int, left):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
