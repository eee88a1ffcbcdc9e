"""What one request came to. No I/O."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """What one request came to; times are in seconds since it was due."""

    sent: float = 0.0
    """How late it was sent, which is the load generator's own doing."""
    first: float | None = None
    total: float = 0.0
    gaps: array[float] = field(default_factory=lambda: array("f"))
    events: int = 0
    bytes: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    error: str | None = None
    cuts: int = 0
    """How often its connection was cut on purpose."""
    left: str | None = None
    """What was done to it on purpose, where that was its end: `canceled` or `cut`."""
    last: float = 0.0
    """When something was said last."""

    def said(self, events: int, now: float) -> None:
        """Take so many events that arrived together: they make one gap, in which a reader saw nothing new."""
        if self.first is None:
            self.first = now
        else:
            self.gaps.append(now - self.last)
        self.last = now
        self.events += events
