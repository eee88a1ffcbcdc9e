"""Who is told of the server's life, and what they may ask of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engines.seat import Seat


class Serving(Protocol):
    """A server that listens: one process, or several as one."""

    @property
    def port(self) -> int:
        """The port it listens on."""

    @property
    def models(self) -> Sequence[str]:
        """What it serves."""

    @property
    def seats(self) -> Mapping[str, Seat]:
        """Those of its models whose boots can be followed from here."""

    def give_up(self) -> None:
        """End it: it can never serve what it was asked to."""


class Watcher(Protocol):
    """Told of the server's life, in its loop."""

    def listening(self, server: Serving) -> None:
        """Connections are answered from now on."""

    def draining(self, running: int) -> None:
        """It was asked to end, and lets that many generations end first."""

    async def stopped(self) -> None:
        """Its connections and its engines are gone."""
