"""How fast places come free while somebody wants one."""

from __future__ import annotations

from collections import deque
from typing import Final

_UNKNOWN_S: Final = 5.0
"""When to come back while that is not known."""
_SOONEST_S: Final = 1.0
_LONGEST_S: Final = 60.0
_REMEMBERED: Final = 16


class Pace:
    """Times are steady seconds. Time in which nobody wanted a place says nothing, and does not count."""

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=_REMEMBERED)
        """Seconds until each of the last places came free."""
        self._since: float | None = None
        """Since when the next one is wanted; None while nobody wants it."""

    def note_wanted(self, now: float) -> None:
        """Somebody wants a place that is not there."""
        if self._since is None:
            self._since = now

    def note_spare(self) -> None:
        """There was one for whoever came."""
        self._since = None

    def note_free(self, now: float, *, wanted: bool) -> None:
        """A place came free; whether somebody still wants one."""
        if self._since is not None:
            self._took.append(now - self._since)
        self._since = now if wanted else None

    def seconds(self) -> float:
        """When to come back for one."""
        if not self._took:
            return _UNKNOWN_S
        return min(max(_SOONEST_S, sum(self._took) / len(self._took)), _LONGEST_S)
