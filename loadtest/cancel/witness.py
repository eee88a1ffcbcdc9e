"""Seeing an engine abort: its own log is followed, line by line as it is written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Final

_ABORTED: Final = re.compile(rb"aborted.*?(gen_[0-9a-f]{32})(?:\S* at (\S+))?", re.IGNORECASE)
_LOOK_S: Final = 0.001


def aborts(line: bytes, now: float) -> Mapping[str, float]:
    """Which generations the line says were aborted, and when: as it says itself, or now."""
    return {told[1].decode(): float(told[2] or now) for told in _ABORTED.finditer(line)}


class Witness:
    """Follows a log from its end on. A line that does not say its time is seen within a millisecond or two."""

    def __init__(self, log: Path) -> None:
        self.seen: dict[str, float] = {}
        """When which generation was aborted, on the clock of `perf_counter`."""
        self._log = log

    async def watch(self) -> None:
        """Follow it until cancelled."""
        with self._log.open("rb") as log:
            log.seek(0, 2)
            rest = b""
            while True:
                *lines, rest = (rest + log.read()).split(b"\n")
                now = perf_counter()
                for line in lines:
                    self.seen.update(aborts(line, now))
                await asyncio.sleep(_LOOK_S)
