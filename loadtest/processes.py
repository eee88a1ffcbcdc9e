"""What the servers' processes use, read from /proc. A process and all its children count as one server."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """A process at one moment. `front` is all but the part that runs the model and what a relay has behind it."""

    pid: int
    name: str
    front: bool
    cpu_seconds: float
    megabytes: float
    behind: bool = False
    """Of the server that the one measured relays to."""


def tree(root: int) -> list[int]:
    """Return a process and its descendants."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.glob("[0-9]*"):
        stat = _read(folder / "stat")
        if stat:
            children.setdefault(int(_fields(stat)[1]), []).append(int(folder.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def end_children() -> None:
    """Kill what this process began in sessions of its own, and is still there."""
    for pid in tree(os.getpid())[1:]:
        with suppress(ProcessLookupError):
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)


def look(root: int, behind: int | None = None) -> dict[int, Process]:
    """Return the processes of a server, and of the one that it relays to, as they stand."""
    others = () if behind is None else tree(behind)
    seen = {}
    for pid in (*tree(root), *others):
        stat, command = _read(_PROC / str(pid) / "stat"), _read(_PROC / str(pid) / "cmdline")
        if stat:
            fields = _fields(stat)
            comm = stat[stat.index("(") + 1 : stat.rindex(")")]
            engine = "EngineCor" in comm or "EngineCore" in command
            seconds = (int(fields[11]) + int(fields[12])) / _TICK
            front = not engine and pid not in others
            name = "EngineCore" if engine else comm
            seen[pid] = Process(pid, name, front, seconds, _megabytes(pid), pid in others)
    return seen


def used(before: dict[int, Process], after: dict[int, Process]) -> list[Process]:
    """Return what each process used between two looks; one born in between counts from its birth."""
    return [replace(now, cpu_seconds=now.cpu_seconds - _seconds(before.get(pid))) for pid, now in after.items()]


def cpu_seconds(root: int) -> float:
    """Return what a server's processes have used so far, to the microsecond, where /proc counts in hundredths.

    The processes are those that live: what one used that has ended is missing.
    """
    # What clock_getcpuclockid(3) answers for a process.
    seconds = 0.0
    for pid in tree(root):
        # It ended while we looked.
        with suppress(OSError):
            seconds += time.clock_gettime(~pid << 3 | 2)
    return seconds


def listening(port: int) -> int | None:
    """Return the process that listens on a port of this machine: of several that share it, the oldest."""
    inodes = {
        f"socket:[{fields[9]}]"
        for table in ("tcp", "tcp6")
        for line in _read(_PROC / "net" / table).splitlines()[1:]
        if (fields := line.split())[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port
    }
    owners = [int(folder.name) for folder in _PROC.glob("[0-9]*") if inodes & set(descriptors(int(folder.name)))]
    return min(owners, default=None)


def memory(pid: int) -> dict[str, float]:
    """Return what one process holds, in megabytes, by the names of the kernel: Rss, Pss, Private_Dirty, ..."""
    lines = (line.split() for line in _read(_PROC / str(pid) / "smaps_rollup").splitlines()[1:])
    return {name.rstrip(":"): int(kilobytes) / 1024 for name, kilobytes, *_ in lines}


def descriptors(pid: int) -> list[str]:
    """Return what one process has open: paths, and `socket:[...]`."""
    found = []
    for entry in _entries(_PROC / str(pid) / "fd"):
        with suppress(OSError):
            found.append(os.readlink(entry))
    return found


def busy() -> float:
    """Return the seconds that all cores together have worked or were not to be had, since the machine began."""
    user, nice, system, _idle, _waiting, *rest = map(int, _read(_PROC / "stat").split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(rest)) / _TICK


def _seconds(process: Process | None) -> float:
    return 0.0 if process is None else process.cpu_seconds


def _megabytes(pid: int) -> float:
    """Return its share of memory: pages that forked processes have in common are counted once among them."""
    return memory(pid).get("Pss", 0.0)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        # It ended while we looked, or is somebody else's.
        return []


def _fields(stat: str) -> list[str]:
    """Return the fields behind the name, which may itself hold blanks and brackets: state, parent, ..."""
    return stat[stat.rindex(")") + 2 :].split()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        # It ended while we looked.
        return ""
