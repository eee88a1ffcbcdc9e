"""What is asked, when it is canceled, and what all of it may cost: decided before anything runs. No I/O."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from loadtest.plan import PlanError

MODEL: Final = "bench"
PER_TOKEN: Final = Decimal("0.001")
"""The price of a token given out."""
PER_SECOND: Final = Decimal("0.001")
"""The price of a second of the engine."""
MOST_STREAMS: Final = 1_000
MOST_SECONDS: Final = 300.0
_CANCELED: Final = 0.5


class Ask(NamedTuple):
    """One call, and after how many seconds its caller leaves; None where it stays to the end."""

    content: str
    max_tokens: int
    leaves_after: float | None

    def body(self) -> bytes:
        """The chat body."""
        message = {"role": "user", "content": self.content}
        return json.dumps(
            {"model": MODEL, "messages": [message], "max_tokens": self.max_tokens, "stream": True}
        ).encode()


class Scene(NamedTuple):
    """Where it happens: so many replicas, over Redis or with a file, and whether Redis is killed in the middle."""

    name: str
    replicas: int
    redis: bool = True
    harm: bool = False


SCENES: Final = {
    scene.name: scene
    for scene in (
        Scene("file", 1, redis=False),
        Scene("redis", 1),
        Scene("replicas", 3),
        Scene("killed", 3, harm=True),
    )
}


@dataclass(frozen=True, slots=True)
class Plan:
    """So many streams at a time against one key, for so long; the budget is gone well before."""

    seed: int = 0
    streams: int = 200
    seconds: float = 15.0
    budget: float = 20.0
    tokens: tuple[int, int] = (5, 40)
    token_ms: float = 100.0
    away_s: float = 2.0
    """How long a killed Redis stays away."""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("streams", self.streams, MOST_STREAMS),
            ("seconds", self.seconds, MOST_SECONDS),
            ("budget", self.budget, 1e9),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most:g}, not {value:g}")

    @property
    def source(self) -> str:
        """The engine. Nothing but `max_tokens` ends an answer."""
        return f"scripted:?token_ms={self.token_ms:g}&tokens=1000000"

    def chance(self, *of: object) -> random.Random:
        """The chance of one place, the same for the same seed."""
        return random.Random(f"{self.seed}/{of}")

    def ask(self, place: int, number: int) -> Ask:
        """What that place asks next; half of all callers leave before a long answer has ended."""
        chance = self.chance(place, number)
        leaves = chance.uniform(0, self.tokens[1] * self.token_ms / 1000) if chance.random() < _CANCELED else None
        return Ask(f"{place} of {number}: what does a fire cost?", chance.randint(*self.tokens), leaves)


def settings(admin_key: str) -> str:
    """The lines of hearth.toml that say what things cost, and who may look."""
    return "\n".join(
        [
            f'admin_key = "{admin_key}"',
            f"[model.{MODEL}]",
            f"price_per_second = {PER_SECOND}",
            f"price_per_million_output = {PER_TOKEN * 1_000_000}",
            "",
        ]
    )
