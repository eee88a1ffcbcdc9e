"""A clock that only tests move."""

from __future__ import annotations

from gateway.clock import Clock


class Turned:
    """Seconds that pass when `turn` says so."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        """Let that much time pass."""
        self.now += seconds

    @property
    def clock(self) -> Clock:
        """Both of the gateway's times from this one."""
        return Clock(self, self)
