"""A circuit breaker: an engine that fails again and again is left alone for a while, then tried by one call."""

from __future__ import annotations

from typing import Final

_THRESHOLD: Final = 3
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_PROBE_S: Final = 60.0
"""A probe that has told nothing for so long is taken for lost: another may be sent."""


class Breaker:
    """Closed while calls succeed; open after failures in a row; half open while one call probes. Times are steady.

    Nygard, Release It!, 2nd edition, 5.2.
    """

    def __init__(self) -> None:
        self.failures = 0
        """In a row."""
        self._until = 0.0
        """While it is open: when the next call may probe."""
        self._probed_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are kept away, but for a probe."""
        return self.failures >= _THRESHOLD

    def wait_s(self, now: float) -> float:
        """How long until a call may go; 0 when one may now."""
        if not self.is_open:
            return 0.0
        until = self._until if self._probed_at is None else max(self._until, self._probed_at + _PROBE_S)
        return max(0.0, until - now)

    def begin(self, now: float) -> None:
        """A call goes: while open, it is the probe."""
        if self.is_open:
            self._probed_at = now

    def succeeded(self) -> None:
        """The engine has answered."""
        self.failures, self._probed_at = 0, None

    def failed(self, now: float, wait_s: float | None = None) -> None:
        """The engine has not. `wait_s` is what it asked for, which opens at once."""
        self.failures += 1
        if wait_s is not None:
            self.failures = max(self.failures, _THRESHOLD)
        if self.is_open:
            pause = _FIRST_PAUSE_S * 2 ** min(self.failures - _THRESHOLD, 10)
            self._until = now + min(_LONGEST_PAUSE_S, max(pause, wait_s or 0.0))

    def spared(self) -> None:
        """A call ended without telling anything of the engine: another may probe."""
        self._probed_at = None
