"""When an engine last showed that it is there, and what failed since: told by any replica. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from engines.base import State
from engines.board import Sighting

_SKEW_S: Final = 10.0
"""By how much the clocks of two machines may differ."""


def past(moment: float, now: float) -> float:
    """A moment of the past (unix seconds), as this clock has it.

    What is a little ahead is of now. What is far ahead was told by a clock that has been set since: it is 0, for never.
    """
    return min(moment, now) if moment <= now + _SKEW_S else 0.0


class Signs(NamedTuple):
    """The last ones that other replicas told of, also those which are gone since. Unix seconds, 0 for never."""

    heard_at: float = 0.0
    asked_at: float = 0.0
    beat_at: float = 0.0
    """When it passed a heartbeat, or was found warm by a replica that joined."""

    def and_those(self, told: Collection[Sighting], now: float) -> Signs:
        """The last of these and of what is told now."""

        def last(*moments: float) -> float:
            return max(past(moment, now) for moment in moments)

        return Signs(
            last(self.heard_at, *(each.heard_at for each in told)),
            last(self.asked_at, *(each.asked_at for each in told)),
            last(self.beat_at, *(each.beat_at for each in told), *(_warm_since(each) for each in told)),
        )


class Trouble(NamedTuple):
    """What failed in a row, and when the last of it did (unix seconds)."""

    failures: int = 0
    """Boots and heartbeats."""
    missed: int = 0
    """Of these, the heartbeats since the engine was warm."""
    at: float = 0.0


def _warm_since(told: Sighting) -> float:
    return told.since if told.state is State.WARM else 0.0
