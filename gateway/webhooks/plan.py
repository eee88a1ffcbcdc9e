"""Of what, and when, whoever waits for a prediction is told while it runs. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from gateway.events import Accepted, Delta, Event, LogLine, Output, is_terminal
from gateway.predictions.record import ALL, Happening

EVERY_S: Final = 0.5
"""Outputs are told of no more often, and neither are logs."""


class Plan:
    """Sees the events of one log, and says what is due: `start` first and once, then `output` and `logs`, each at most
    every so many seconds and then with all that is there. The end itself is another's business.
    """

    def __init__(self, wanted: Collection[Happening], every_s: float = EVERY_S) -> None:
        self._wanted = frozenset(wanted)
        self._every_s = every_s
        self._new: set[Happening] = set()
        self._told: dict[Happening, float] = {}
        """When each was told of last."""
        self._over = False

    @property
    def listens(self) -> bool:
        """Whether anything but the end could make something due."""
        open_ones = self._wanted - {"completed"}
        if "start" in self._told:
            open_ones -= {"start"}
        return bool(open_ones) and not self._over

    def see(self, event: Event) -> None:
        """Take the next event of the log in."""
        self._over = self._over or is_terminal(event)
        happening = _happening(event)
        if happening in self._wanted and not (happening == "start" and "start" in self._told):
            self._new.add(happening)

    def due(self, now: float) -> Happening | None:
        """What is to be told of next, if now; that counts as told. `now` is in steady seconds.

        After the last event what is still new is told at once, but not to whoever is told of the end: that has it all.
        """
        if self._over and "completed" in self._wanted:
            self._new &= {"start"}
        due = [each for each in ALL if each in self._new and self._at(each) <= now]
        if not due:
            return None
        # Whoever takes long to hear of outputs is to hear of logs too.
        first = min(due, key=lambda each: self._told.get(each, float("-inf")))
        self._new.remove(first)
        self._told[first] = now
        return first

    def in_s(self, now: float) -> float | None:
        """Seconds until something that is new is due; None while nothing is new."""
        return max(0.0, min(map(self._at, self._new)) - now) if self._new else None

    def _at(self, happening: Happening) -> float:
        if self._over or happening not in self._told:
            return float("-inf")
        return self._told[happening] + self._every_s


def _happening(event: Event) -> Happening | None:
    match event:
        case Accepted():
            return "start"
        case Output():
            return "output"
        case Delta(text=text) if text:
            return "output"
        case LogLine():
            return "logs"
    return None
