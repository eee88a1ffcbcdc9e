"""What one request is on any surface. No I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod

from loadtest.outcome import Outcome
from loadtest.plan import Harm

EVENT_STREAM = "accept: text/event-stream\r\n"


class Talk(ABC):
    """One request, over one connection after the other; the times are in seconds since it was due."""

    def __init__(self, harm: Harm) -> None:
        self.outcome = Outcome()
        self.ended = False
        """Nothing more is wanted of this connection."""
        self.harm = harm

    @abstractmethod
    def question(self) -> bytes | None:
        """Return what is sent first on a new connection; None when there is nothing more to ask."""

    @abstractmethod
    def feed(self, data: bytes, now: float) -> bytes:
        """Take what arrived, and return what to send."""

    @abstractmethod
    def lost(self, abruptly: bool) -> None:
        """The other side ended the connection."""

    def cut(self) -> None:
        """The load test cut the connection; who can go on where it was overrides this."""
        self.outcome.cuts += 1
        self.outcome.left = "cut"

    def said(self, events: int, now: float) -> bool:
        """Count events that said something; whether it is time to leave."""
        self.outcome.said(events, now)
        return self.harm.leave_after is not None and self.outcome.events >= self.harm.leave_after
