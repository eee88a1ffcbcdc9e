"""A circuit breaker: an engine that fails again and again is left alone for a while, then tried by one call."""

from __future__ import annotations

from typing import Final

from engines.board import Calls

_THRESHOLD: Final = 3
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_PROBE_S: Final = 1.0
"""When to ask again while a probe is out."""


class Breaker:
    """Closed while calls succeed; open after failures in a row; half open while one call probes. Times are steady.

    Nygard, Release It!, 2nd edition, 5.2. A call has the number that `begin` gave it. What one tells that began before
    the last failure is old: it neither closes what opened meanwhile, nor adds to what many met at once.
    """

    def __init__(self) -> None:
        self.failures = 0
        """In a row."""
        self._count = 0
        """All failures so far."""
        self._opened = 0
        """How many they were when it opened."""
        self._until = 0.0
        """While it is open: when the next call may probe."""
        self._probe: int | None = None
        self.busy = False
        """Whether it was opened by an engine that said how long it wants to be left alone."""

    @property
    def is_open(self) -> bool:
        """Whether calls are kept away, but for a probe."""
        return self.failures >= _THRESHOLD

    def calls(self, now: float) -> Calls:
        """What it does with them."""
        if not self.is_open:
            return "let through"
        return "kept away" if self.wait_s(now) else "one to probe"

    def wait_s(self, now: float) -> float:
        """How long until a call may go; 0 when one may now."""
        if not self.is_open:
            return 0.0
        return max(self._until - now, 0.0 if self._probe is None else _PROBE_S, 0.0)

    def begin(self) -> int:
        """A call goes: while open, it is the probe. Its number."""
        if self.is_open:
            self._probe = self._count
        return self._count

    def is_probed(self, now: float) -> bool:
        """Whether a probe is on its way."""
        return self.is_open and self._probe is not None and now >= self._until

    @property
    def count(self) -> int:
        """The number of a call that goes now."""
        return self._count

    def end(self, call: int) -> bool:
        """A call is over. Whether it was the probe: then, whatever it told, another may be sent."""
        if self._probe != call:
            return False
        self._probe = None
        return True

    def succeeded(self, call: int) -> None:
        """The engine has answered that call."""
        if call == self._count:
            self.failures, self._probe = 0, None

    def failed(self, call: int, now: float, wait_s: float | None = None) -> None:
        """The engine has not. `wait_s` is what it asked for, which opens at once."""
        if not self.is_open or call >= self._opened:
            self._count += 1
            self.failures = max(self.failures + 1, _THRESHOLD if wait_s is not None else 0)
            if self.failures == _THRESHOLD:
                self._opened = self._count
            if self.is_open:
                self._until = now + min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self.failures - _THRESHOLD, 10))
        self.busy = wait_s is not None
        if wait_s is not None:
            self._until = max(self._until, now + min(_LONGEST_PAUSE_S, wait_s))
