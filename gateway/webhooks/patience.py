"""How long somebody who does not answer is told again, and when next. Pure."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple


class Patience(NamedTuple):
    """Waits that double, shortened at random by up to a half, so that many do not come back at once. Seconds."""

    total_s: float = 120.0
    """From the first try to the last."""
    first_s: float = 0.5
    longest_s: float = 30.0
    """Also the longest wait that whoever is called can ask for."""

    def wait_s(self, tries: int, passed_s: float, draw: float, asked_s: float | None = None) -> float | None:
        """How long to wait after so many tries and seconds; None: not any more. The last try is at the very end.

        `draw` is random, in [0, 1); `asked_s` is what the answer asked for.
        """
        left = self.total_s - passed_s
        if left <= 0:
            return None
        # Doubled a hundred times it would still be the longest, and no float.
        wait = min(self.longest_s, self.first_s * 2.0 ** min(tries - 1, 64)) * (1 - draw / 2)
        return min(left, max(wait, min(asked_s or 0.0, self.longest_s)))


USUAL: Final = Patience()


def retry_after(written: str | None, now: float) -> float | None:
    """The seconds that a `Retry-After` asks for (`now` is in unix seconds); None where it says nothing."""
    if written is None:
        return None
    if written.strip().isdecimal() and len(written) < 10:
        return float(written)
    try:
        return max(0.0, parsedate_to_datetime(written).timestamp() - now)
    except (ValueError, OverflowError):
        return None
