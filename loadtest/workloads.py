"""What is asked: request by request, and the same for the same seed. No I/O."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple, Protocol

from loadtest.arrivals import Bounds
from loadtest.lengths import MOST, Lengths

_WORDS = "fox owl river stone lamp winter bread harbour letter garden clock violet copper ladder meadow thunder".split()
WORDS: Final = Lengths.fixed(16)
TOKENS: Final = Lengths.fixed(128)
_MOST_PROMPTS = 1_000_000
_MOST_SKEW = 10.0
_MOST_TURNS = 100


class Asked(NamedTuple):
    """One request: what is said, by whom, and how many tokens its answer may have."""

    messages: Sequence[dict[str, str]]
    max_tokens: int

    @property
    def text(self) -> str:
        """All of it as one prompt."""
        return "\n".join(message["content"] for message in self.messages)


class Workload(Protocol):
    """Requests by their number."""

    def ask(self, number: int) -> Asked:
        """Return the request of that number."""

    def bounds(self) -> Bounds: ...


@dataclass(frozen=True)
class Distinct:
    """No two are alike, so that no cache answers; their lengths are drawn from a stated distribution."""

    words: Lengths = WORDS
    tokens: Lengths = TOKENS
    seed: int = 0

    def ask(self, number: int) -> Asked:
        chance = random.Random(f"{self.seed}/{number}")
        said = f"{self.seed} {number}: {_said(chance, self.words)}"
        return Asked([_user(said)], self.tokens.draw(chance))

    def bounds(self) -> Bounds:
        return ()

    def __str__(self) -> str:
        return f"each prompt another one; words {self.words}; tokens {self.tokens}"


@dataclass(frozen=True)
class Fixed:
    """The same one over and over."""

    words: Lengths = WORDS
    tokens: Lengths = TOKENS
    seed: int = 0

    def ask(self, number: int) -> Asked:
        return Distinct(self.words, self.tokens, self.seed).ask(0)

    def bounds(self) -> Bounds:
        return ()

    def __str__(self) -> str:
        return f"one prompt; words {self.words}; tokens {self.tokens}"


@dataclass(frozen=True)
class Zipf:
    """So many prompts; the one of rank r comes in proportion to 1 / r^skew, whatever came before."""

    prompts: int
    skew: float
    words: Lengths = WORDS
    tokens: Lengths = TOKENS
    seed: int = 0

    def ask(self, number: int) -> Asked:
        drawn = random.Random(f"{self.seed}/rank/{number}").random() * self._weights[-1]
        return Distinct(self.words, self.tokens, self.seed).ask(bisect(self._weights, drawn))

    @cached_property
    def _weights(self) -> list[float]:
        return list(accumulate(rank**-self.skew for rank in range(1, self.prompts + 1)))

    def bounds(self) -> Bounds:
        return ("prompts", self.prompts, _MOST_PROMPTS), ("skew", self.skew, _MOST_SKEW)

    def __str__(self) -> str:
        return f"Zipf over {self.prompts} prompts, skew {self.skew:g}; words {self.words}; tokens {self.tokens}"


@dataclass(frozen=True)
class Conversations:
    """Talks of several turns, each sent with all that was said before; some system prompts are shared by all talks.

    What the assistant said before is made up, so that a run is decided beforehand and no answer must be read. `beside`
    talks go on at a time: request n + beside is the next turn of request n.
    """

    turns: int
    beside: int
    systems: int = 1
    system_words: int = 200
    words: Lengths = WORDS
    tokens: Lengths = TOKENS
    seed: int = 0

    def ask(self, number: int) -> Asked:
        block, within = divmod(number, self.turns * self.beside)
        turn, place = divmod(within, self.beside)
        talk = block * self.beside + place
        chance = random.Random(f"{self.seed}/talk/{talk}")
        messages = [{"role": "system", "content": self._system(chance.randrange(self.systems))}]
        for now in range(turn + 1):
            messages.append(_user(f"{self.seed} {talk} {now}: {_said(chance, self.words)}"))
            tokens = self.tokens.draw(chance)
            if now < turn:
                messages.append({"role": "assistant", "content": _said(chance, Lengths.fixed(tokens))})
        return Asked(messages, tokens)

    def _system(self, number: int) -> str:
        return _said(random.Random(f"{self.seed}/system/{number}"), Lengths.fixed(self.system_words))

    def bounds(self) -> Bounds:
        return (
            ("turns", self.turns, _MOST_TURNS),
            ("system prompts", self.systems, _MOST_PROMPTS),
            ("words of a system prompt", self.system_words, MOST),
        )

    def __str__(self) -> str:
        shared = f"{self.systems} system prompts of {self.system_words} words"
        return f"talks of {self.turns} turns, {shared}; words {self.words}; tokens {self.tokens}"


@dataclass(frozen=True)
class Replayed:
    """Prompts and answers as long as they once were."""

    lengths: Sequence[tuple[int, int]]
    """Words and tokens of each."""
    seed: int = 0

    def ask(self, number: int) -> Asked:
        words, tokens = self.lengths[number]
        return Distinct(Lengths.fixed(words), Lengths.fixed(tokens), self.seed).ask(number)

    def bounds(self) -> Bounds:
        return ()

    def __str__(self) -> str:
        words, tokens = (sum(each) / len(self.lengths) for each in zip(*self.lengths, strict=True))
        return f"lengths as recorded, on average {words:.0f} words and {tokens:.0f} tokens"


def _user(said: str) -> dict[str, str]:
    return {"role": "user", "content": said}


def _said(chance: random.Random, words: Lengths) -> str:
    return " ".join(chance.choices(_WORDS, k=words.draw(chance)))
