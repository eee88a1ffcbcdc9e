"""What is asked, how often, and when: decided before anything is sent, and the same for the same seed. No I/O."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

MOST_REQUESTS = 100_000
MOST_STREAMS = 4_096
MOST_SECONDS = 900.0

_WORDS = "fox owl river stone lamp winter bread harbour letter garden clock violet copper ladder meadow thunder".split()


class PlanError(ValueError):
    """A load that this tool will not make."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One request: how long it is and how long its answer shall be."""

    model: str
    max_tokens: int = 128
    prompt_words: tuple[int, int] = (16, 16)
    temperature: float | None = None
    ignore_eos: bool = True
    seed: int = 0

    def body(self, number: int) -> bytes:
        """Return the chat body of the given request; no two are alike, so that no cache answers."""
        chance = random.Random(f"{self.seed}/{number}")
        words = " ".join(chance.choices(_WORDS, k=chance.randint(*self.prompt_words)))
        asked: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": f"{self.seed} {number}: {words}"}],
            "max_tokens": self.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self.ignore_eos:
            asked["ignore_eos"] = True
        if self.temperature is not None:
            asked["temperature"] = self.temperature
        return json.dumps(asked).encode()


@dataclass(frozen=True, slots=True)
class Plan:
    """A bounded load. Closed: `streams` at a time. Open: `rate` arrivals a second, however many are still running."""

    shape: Shape
    requests: int
    streams: int = 1
    rate: float | None = None
    seconds: float = 120.0

    def __post_init__(self) -> None:
        for name, value, most in (
            ("requests", self.requests, MOST_REQUESTS),
            ("streams", self.streams, MOST_STREAMS),
            ("seconds", self.seconds, MOST_SECONDS),
            ("rate", 1 if self.rate is None else self.rate, MOST_REQUESTS),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most}, not {value}")

    def arrivals(self) -> list[float]:
        """Return the seconds at which an open loop's requests arrive: a Poisson process."""
        chance, now, times = random.Random(self.shape.seed), 0.0, []
        for _ in range(self.requests):
            times.append(now)
            now += chance.expovariate(self.rate or 1.0)
        return times
