"""How far a run is, once a second, in a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Final, NamedTuple, TextIO

_EVERY_S: Final = 0.9


class Progress(NamedTuple):
    """What runs, and what was seen so far."""

    running: int = 0
    ended: int = 0
    tokens: int = 0
    errors: int = 0


def total(parts: Iterable[Progress]) -> Progress:
    """Return what several client processes told, as one."""
    return Progress(*map(sum, zip(*parts, strict=True)))


class Ticker:
    """Writes how far a run is, with the speed since it said so last; several processes' news make one line a second."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = perf_counter) -> None:
        self._out = out
        self._clock = clock
        self._said = clock()
        self._before = Progress()

    def __call__(self, now: Progress) -> None:
        seconds = self._clock() - self._said
        if seconds < _EVERY_S:
            return
        speed = (now.tokens - self._before.tokens) / seconds
        told = f"{now.running:6} running  {now.ended:7} ended  {speed:9.0f} tok/s  {now.errors:5} errors"
        print(told, file=self._out, flush=True)
        self._said, self._before = self._clock(), now
