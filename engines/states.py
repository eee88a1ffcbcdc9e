"""What an engine's state may become: a table of legal moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engines.base import State

MOVES: Final[Mapping[State, frozenset[State]]] = {
    State.COLD: frozenset({State.BOOTING}),
    # Stopped, or left to another replica, before it was up.
    State.BOOTING: frozenset({State.WARM, State.BROKEN, State.DRAINING, State.COLD}),
    # It died and is started again, or was left to another replica that has stopped it.
    State.WARM: frozenset({State.DRAINING, State.BOOTING, State.BROKEN, State.COLD}),
    State.DRAINING: frozenset({State.COLD, State.BROKEN}),
    State.BROKEN: frozenset({State.BOOTING, State.COLD}),
}

BEST: Final = (State.WARM, State.BOOTING, State.DRAINING, State.COLD, State.BROKEN)
"""What a model is, is the best that any of its engines is."""


def check(before: State, after: State) -> State:
    """The new state; to stay in one is always legal. Raises ValueError when there is no such move."""
    if after is not before and after not in MOVES[before]:
        raise ValueError(f"An engine that is {before} cannot become {after}.")
    return after
