"""How long each stage of a boot took."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engines.base import Report


class Stage(NamedTuple):
    """One stage by the name that people are told, and how long it took."""

    name: str
    seconds: float


class Stages:
    """Times what is reported: a stage lasts until the next one begins."""

    def __init__(self, report: Report, clock: Callable[[], float]) -> None:
        self.taken: list[Stage] = []
        """Those that have ended, in their order."""
        self._report = report
        self._clock = clock
        self._name: str | None = None
        self._began = 0.0

    def begin(self, name: str) -> None:
        """Report a stage, and end the one before it."""
        self.end()
        self._name, self._began = name, self._clock()
        self._report(name)

    def end(self) -> None:
        """End the last stage."""
        if self._name is not None:
            self.taken.append(Stage(self._name, self._clock() - self._began))
            self._name = None
