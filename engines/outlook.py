"""When a model will likely be warm, as far as earlier boots tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from engines.base import State

ASSUMED_S: Final = 30.0
"""What a boot is taken to last where nothing is known of it."""


class Outlook(NamedTuple):
    """How warm a model is, and in how many seconds it is likely warm: 0 when it is, None where nothing is known."""

    state: State
    ready_s: float | None

    @property
    def assumed_s(self) -> float:
        """Those seconds; where nothing is known, what is assumed then."""
        return ASSUMED_S if self.ready_s is None else self.ready_s


def outlook(state: State, boot_seconds: float | None, passed_s: float) -> Outlook:
    """The outlook of a model whose last boot took `boot_seconds`; one that boots has been at it for `passed_s`.

    Rounded up to a tenth of a second. A boot that takes longer than the last one is of another kind: nothing is known
    of it any more. Nor is anything known of a model that is broken, or that is being stopped.
    """
    if state is State.WARM:
        return Outlook(state, 0.0)
    if boot_seconds is None or state not in (State.COLD, State.BOOTING):
        return Outlook(state, None)
    left = boot_seconds - (passed_s if state is State.BOOTING else 0.0)
    return Outlook(state, math.ceil(left * 10) / 10 if left > 0 else None)


def soonest(first: Outlook, others: Sequence[Outlook]) -> int | None:
    """Which of the others is likely warm before the first one; None where that one may as well be waited for.

    Of one that is not wanted for itself something must be known.
    """
    best, at = first.assumed_s, None
    for index, other in enumerate(others):
        if other.ready_s is not None and other.ready_s < best:
            best, at = other.ready_s, index
    return at
