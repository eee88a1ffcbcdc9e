"""Which of several warm engines a prompt goes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from engines.affinity import ranked

_SPREAD: Final = 1.25
"""A conversation's engine may owe so many times what all owe on average."""
_SLACK: Final = 4096
"""And so many tokens more: the prefix that it has costs less than to wait behind that."""


class Candidate(NamedTuple):
    """An engine that may be asked."""

    engine: str
    outstanding: int
    """Tokens that it owes to all callers, of all replicas, as far as they can be guessed."""


def choose(candidates: Sequence[Candidate], conversation: bytes | None) -> str:
    """The conversation's own engine unless it has notably more to do than the others; else whichever owes least."""
    least = min(candidates, key=lambda each: (each.outstanding, each.engine))
    if conversation is None or len(candidates) == 1:
        return least.engine
    owed = {each.engine: each.outstanding for each in candidates}
    bound = _SPREAD * sum(owed.values()) / len(owed) + _SLACK
    return next((engine for engine in ranked(conversation, owed) if owed[engine] <= bound), least.engine)
