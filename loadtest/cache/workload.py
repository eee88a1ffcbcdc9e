"""Who asks what, and when: questions that come again by Zipf's law, at moments of chance. No I/O."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, NamedTuple

from loadtest.plan import PlanError

MOST_QUESTIONS: Final = 1_000_000
MOST_ASKS: Final = 200_000
MOST_SECONDS: Final = 7 * 24 * 3600.0
_CHANCE_TEMPERATURE: Final = 0.8


class Ask(NamedTuple):
    """One call: when (seconds from the beginning), what, in whose namespace, and how."""

    at: float
    question: int
    namespace: int = 0
    deterministic: bool = True
    streamed: bool = True

    def body(self, model: str, max_tokens: int) -> bytes:
        """The chat body. Two asks of one question differ in nothing that an answer depends on."""
        asked: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": f"Question number {self.question}: what burns in a hearth?"}],
            "max_tokens": max_tokens,
            "temperature": 0 if self.deterministic else _CHANCE_TEMPERATURE,
            "stream": self.streamed,
        }
        if self.namespace:
            asked["cache"] = {"namespace": f"tenant-{self.namespace}"}
        return json.dumps(asked).encode()


@dataclass(frozen=True, slots=True)
class Workload:
    """A Zipf mix: the question of rank r is asked in proportion to 1 / r ** skew; the asks arrive as a Poisson process.

    `deterministic` is the share of asks at temperature 0, which alone are shared; `streamed` that of streams. Each
    ask is of one of so many namespaces, which share nothing, all alike.
    """

    questions: int = 10_000
    skew: float = 1.0
    rate: float = 1.0
    """Asks a second."""
    seconds: float = 7200.0
    deterministic: float = 1.0
    streamed: float = 0.5
    namespaces: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("questions", self.questions, 1, MOST_QUESTIONS),
            ("skew", self.skew, 0, 10),
            ("rate", self.rate, 1e-6, 10_000),
            ("seconds", self.seconds, 1e-3, MOST_SECONDS),
            ("asks", self.rate * self.seconds, 0, MOST_ASKS),
            ("deterministic", self.deterministic, 0, 1),
            ("streamed", self.streamed, 0, 1),
            ("namespaces", self.namespaces, 1, 10_000),
        ):
            if not least <= value <= most:
                raise PlanError(f"{name} must be from {least:g} to {most:g}, not {value:g}")

    def shares(self) -> list[float]:
        """How much of all asks each question is, the most frequent first."""
        weights = [rank**-self.skew for rank in range(1, self.questions + 1)]
        total = sum(weights)
        return [weight / total for weight in weights]

    def asks(self) -> Iterator[Ask]:
        """All of them in order; the same for the same seed."""
        chance, now = random.Random(self.seed), 0.0
        ranks, sums = range(self.questions), list(accumulate(self.shares()))
        while (now := now + chance.expovariate(self.rate)) < self.seconds:
            [question] = chance.choices(ranks, cum_weights=sums)
            yield Ask(
                now,
                question,
                chance.randrange(self.namespaces),
                chance.random() < self.deterministic,
                chance.random() < self.streamed,
            )

    def text(self) -> str:
        """In one line."""
        return (
            f"Zipf mix of {self.questions} questions, skew {self.skew:g}, Poisson arrivals {self.rate:g}/s for"
            f" {self.seconds:g} s, {self.deterministic:.0%} deterministic, {self.streamed:.0%} streamed,"
            f" {self.namespaces} namespace{'s' if self.namespaces > 1 else ''}, seed {self.seed}"
        )
