"""Who talks with a model, and for how long: conversations of several turns, with pauses for thought. No I/O."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from loadtest.plan import PlanError

_WORDS: Final = (
    "autumn bridge candle dawn ember fox garden harbour island jar kettle lantern meadow night owl pebble quiet river"
    " stone tea umbrella valley whale yellow zebra"
).split()


class Conversation(NamedTuple):
    """What one person says, turn by turn, and how long (seconds) before each turn. The first wait is from the start."""

    system: str
    turns: tuple[str, ...]
    waits: tuple[float, ...]

    def opening(self) -> list[dict[str, Any]]:
        """The messages before the first turn."""
        return [{"role": "system", "content": self.system}]


@dataclass(frozen=True, slots=True)
class Mix:
    """So many conversations of so many turns each, all the same for the same seed.

    Each begins with one of `prompts` system prompts, all alike, and within `think_s` of the start. Before each further
    turn its person thinks, exponentially distributed around `think_s`.
    """

    conversations: int = 24
    turns: int = 8
    prompts: int = 8
    system_words: int = 400
    user_words: int = 30
    answer_tokens: int = 32
    think_s: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("conversations", self.conversations, 1, 1_000),
            ("turns", self.turns, 1, 100),
            ("prompts", self.prompts, 1, 1_000),
            ("system_words", self.system_words, 1, 100_000),
            ("user_words", self.user_words, 1, 10_000),
            ("answer_tokens", self.answer_tokens, 1, 4_096),
            ("think_s", self.think_s, 0.01, 60.0),
        ):
            if not least <= value <= most:
                raise PlanError(f"{name} must be from {least:g} to {most:g}, not {value:g}")

    def of_round(self, number: int) -> list[Conversation]:
        """The conversations of one round; no two rounds have a prompt in common."""
        chance = random.Random(f"{self.seed}/{number}")
        systems = [_words(chance, self.system_words) for _ in range(self.prompts)]
        return [self._one(chance, systems) for _ in range(self.conversations)]

    def _one(self, chance: random.Random, systems: list[str]) -> Conversation:
        begins = chance.uniform(0, self.think_s)
        thinks = [chance.expovariate(1 / self.think_s) for _ in range(self.turns - 1)]
        turns = tuple(_words(chance, self.user_words) for _ in range(self.turns))
        return Conversation(chance.choice(systems), turns, (begins, *thinks))

    def text(self) -> str:
        """In one line."""
        return (
            f"{self.conversations} conversations of {self.turns} turns, {self.prompts} system prompts of"
            f" {self.system_words} words, {self.user_words} words a turn, answers of {self.answer_tokens} tokens,"
            f" {self.think_s:g} s of thought on average, seed {self.seed}"
        )


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(_WORDS, k=count))
