"""What one run may use, and what it owes: settled before it begins, and once more when it has ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import NamedTuple, Protocol

from gateway.events import Terminal
from gateway.generation import Generation
from gateway.keys import Key


class Outcome(NamedTuple):
    """How a run ended, and for how many seconds an engine worked for it."""

    terminal: Terminal
    seconds: float


class Admission(Protocol):
    """One run's place and its reservations."""

    def turn(self) -> AsyncGenerator[str]:
        """Wait until the run may begin; yields what it waits for, at once and when that changes."""

    async def close(self, outcome: Outcome | None) -> None:
        """Give back what was not used, and note what was; None leaves all as it is, for another replica to settle."""


class Gate(Protocol):
    """Lets runs in."""

    async def admit(self, generation: Generation, key: Key) -> Admission:
        """Reserve what the run may use at most. Raises HearthError `rate_limited`, `budget_exceeded`, `model_busy`."""

    async def inherit(self, generation: Generation) -> Admission:
        """The admission of a run that another replica let in."""


class OpenGate:
    """Lets everything in, and asks nothing for it."""

    async def admit(self, generation: Generation, key: Key) -> Admission:
        return _Free()

    async def inherit(self, generation: Generation) -> Admission:
        return _Free()


class _Free:
    async def turn(self) -> AsyncGenerator[str]:
        return
        yield

    async def close(self, outcome: Outcome | None) -> None:
        """Nothing was reserved."""
