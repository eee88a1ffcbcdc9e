"""The way into a connection for what a response says after its head, past ASGI: no message, no frame of middleware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

CHANNEL: Final = "hearth.channel"
"""In a request's scope: its connection, as a Channel. Servers that are not ours put none there."""


class Channel(Protocol):
    """One connection, while a response without a `content-length` is under way in it."""

    on_change: Callable[[], None] | None
    """Called when there is room again after it was full, and when the client has left."""

    @property
    def full(self) -> bool:
        """Whether so much is unsent that nothing should be added for now."""

    @property
    def gone(self) -> bool:
        """Whether the client has left."""

    def write(self, body: bytes) -> None:
        """Send a part of the body, at once or as soon as the client takes it. It never waits, so look at `full`."""
