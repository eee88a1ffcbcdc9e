"""What one reader consists of: a server counts its objects before many come and after."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from loadtest.idle.plan import SILENT, Plan
from loadtest.idle.run import SIDES, connections, recipe
from loadtest.report import table
from loadtest.servers import ServerError, running

_LIBRARY: Final = re.compile(r"^.*/(site-packages|python3\.\d+)/")
_COUNT_S: Final = 120.0
_LOOK_S: Final = 0.05
_SHARE: Final = 0.2
"""A type of which fewer readers have one is left out."""
_BYTES: Final = 48
"""And so is a line that made fewer for a reader."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of something one reader has, and their bytes."""

    of: str
    count: float
    size: float


@dataclass(frozen=True, slots=True)
class Explained:
    """One reader of one server: by type what the garbage collector sees, and by line all that was allocated."""

    kind: str
    server: str
    types: list[Share]
    lines: list[Share]

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    def text(self) -> str:
        """Both tables."""
        total = sum(share.size for share in self.lines)
        return "\n\n".join(
            [
                f"{self.kind} reader of {self.server}: {total:.0f} bytes that Python allocated, by line:",
                table(["line", "each", "bytes"], [_row(share) for share in self.lines if share.size >= _BYTES]),
                "and by type, as far as the garbage collector sees them, without what they point to:",
                table(["type", "each", "bytes"], [_row(share) for share in self.types if share.count >= _SHARE]),
            ]
        )


def explain(plan: Plan, folder: Path, say: Callable[[str], None]) -> list[Explained]:
    """Start each server once for each kind of reader, have it count, and end it. Raises ServerError."""
    folder.mkdir(parents=True, exist_ok=True)
    explained = []
    for kind in (kind for kind in plan.kinds if kind != SILENT):
        for side in SIDES:
            say(f"{kind}, {side}")
            explained.append(_explain(side, kind, plan, folder))
    return explained


def _explain(side: str, kind: str, plan: Plan, folder: Path) -> Explained:
    file = folder / "census.json"
    count = plan.levels[0]
    counted = recipe(side, folder, ("-m", "loadtest.idle.census", str(file)))
    with running(counted, folder) as server, connections(server, kind) as crowd:
        crowd.rest(plan.settle_s)
        before = _census(server.pid, file)
        crowd.grow(count)
        crowd.rest(plan.settle_s)
        after = _census(server.pid, file)
    return Explained(kind, side, *(shares(before[what], after[what], count) for what in ("types", "lines")))


def _census(pid: int, file: Path) -> dict[str, dict[str, list[int]]]:
    os.kill(pid, signal.SIGUSR1)
    until = time.monotonic() + _COUNT_S
    while not file.exists():
        if time.monotonic() > until:
            raise ServerError(f"process {pid} did not count its objects in {_COUNT_S:g} s")
        time.sleep(_LOOK_S)
    counted: dict[str, dict[str, list[int]]] = json.loads(file.read_text(encoding="utf-8"))
    file.unlink()
    return counted


def shares(before: Mapping[str, list[int]], after: Mapping[str, list[int]], readers: int) -> list[Share]:
    """What came in between, for each reader, the largest first."""
    came = [
        Share(of, (count - before.get(of, [0, 0])[0]) / readers, (size - before.get(of, [0, 0])[1]) / readers)
        for of, (count, size) in after.items()
    ]
    return sorted(came, key=lambda share: -share.size)


def _row(share: Share) -> list[str]:
    return [_LIBRARY.sub("", share.of).removeprefix(f"{Path.cwd()}/"), f"{share.count:.1f}", f"{share.size:.0f}"]
