"""When to try again, and when to give up. No I/O."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from hearth_client.errors import HearthError

# A program's own seed shall not make its readers come back in step with those of its copies.
_JITTER = secrets.SystemRandom().random


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a watch bears with a bad network; times are in seconds."""

    retries: int = 8
    """Tries in a row that bring no event before the error is raised."""
    backoff: float = 1.5
    """First wait, until the server says `retry:`; it doubles with each fruitless try."""
    longest: float = 30.0
    """Longest wait, unless the server's Retry-After asks for more."""
    silence: float = 45.0
    """A connection on which nothing arrives for this long is given up; the server keeps alive every 15 s."""


class Backoff:
    """Counts fruitless tries.

    A watch that cannot begin says so at once; one that has begun bears cuts.
    """

    def __init__(self, patience: Patience, jitter: Callable[[], float] = _JITTER) -> None:
        self.base = patience.backoff
        self._patience = patience
        self._jitter = jitter
        self._begun = False
        self._failures = 0

    def begun(self) -> None:
        """The server accepted us."""
        self._begun = True

    def progressed(self) -> None:
        """Something new arrived."""
        self._begun = True
        self._failures = 0

    def lost(self, error: HearthError) -> float:
        """Return the seconds to wait before the next try, or raise the error when there shall be none."""
        if not (error.retry and self._begun and self._failures < self._patience.retries):
            raise error
        wait = min(self._patience.longest, self.base * float(2**self._failures))
        self._failures += 1
        # Never sooner than the server asked for; apart, so that a fleet of readers does not come back as one.
        return max(error.retry_after or 0.0, wait) * (1 + self._jitter() / 2)
