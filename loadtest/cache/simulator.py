"""What a cache makes of a workload, without a server: one entry for each question, a claim while it runs. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from loadtest.cache.workload import Ask

OUTCOMES: Final = ("HIT", "JOIN", "MISS", "BYPASS")


def simulate(asks: Iterable[Ask], ttl_s: float, answer_s: float) -> Counter[str]:
    """How many asks come out as what, where a run takes `answer_s` and its answer is kept for `ttl_s` after it."""
    counted: Counter[str] = Counter()
    ends: dict[tuple[int, int], float] = {}
    for ask in asks:
        whose = (ask.namespace, ask.question)
        age = ask.at - ends.get(whose, float("-inf"))
        if not ask.deterministic:
            counted["BYPASS"] += 1
        elif age < 0:
            counted["JOIN"] += 1
        elif age < ttl_s:
            counted["HIT"] += 1
        else:
            counted["MISS"] += 1
            ends[whose] = ask.at + answer_s
    return counted


def spared(counted: Counter[str]) -> float:
    """The share of asks that needed no run of their own: hits and joins."""
    return (counted["HIT"] + counted["JOIN"]) / max(1, counted.total())
