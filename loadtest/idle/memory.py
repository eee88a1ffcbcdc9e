"""What a process holds, and what the kernel holds for everybody's sockets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from loadtest import processes

_PAGE_KB: Final = os.sysconf("SC_PAGE_SIZE") / 1024


class Memory(NamedTuple):
    """In KB."""

    uss: float
    """Pages that no other process has."""
    pss: float
    """And a share of those that others have, too."""
    kernel: float
    """The kernel's own structures and TCP's buffers: for all processes, so for both ends of a connection."""

    def less(self, before: Memory) -> Memory:
        """What came since."""
        return Memory(*(now - then for now, then in zip(self, before, strict=True)))

    def each(self, count: int) -> Memory:
        """A part of so many."""
        return Memory(*(value / count for value in self))


def held(root: int) -> Memory:
    """What a process and its children hold now."""
    rollups = [_rollup(pid) for pid in processes.tree(root)]
    uss, pss = (sum(values) for values in zip(*rollups, strict=True))
    return Memory(uss, pss, _kernel(_text("meminfo"), _text("net/sockstat")))


def rollup(text: str) -> tuple[float, float]:
    """USS and PSS from a process's smaps_rollup."""
    told = dict(line.split(":", 1) for line in text.splitlines()[1:])
    kilobytes = {name: float(value.split()[0]) for name, value in told.items()}
    return kilobytes.get("Private_Clean", 0.0) + kilobytes.get("Private_Dirty", 0.0), kilobytes.get("Pss", 0.0)


def _rollup(pid: int) -> tuple[float, float]:
    return rollup(_text(f"{pid}/smaps_rollup"))


def _kernel(meminfo: str, sockstat: str) -> float:
    [slab] = (float(line.split()[1]) for line in meminfo.splitlines() if line.startswith("Slab:"))
    [tcp] = (line.split() for line in sockstat.splitlines() if line.startswith("TCP:"))
    return slab + float(tcp[tcp.index("mem") + 1]) * _PAGE_KB


def _text(name: str) -> str:
    try:
        return (Path("/proc") / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        # It ended while we looked.
        return ""
