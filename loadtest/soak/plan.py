"""Who comes, what they want, and when they leave: decided by a seed. No I/O."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from loadtest.chaos import plan as chaos
from loadtest.plan import PlanError

MODEL: Final = "bench"
SLOW: Final = "slow"
"""A model that says a word now and then, for those who watch and wait."""
OWNER: Final = "hearth"

MOST_STREAMS: Final = 2_000
MOST_SECONDS: Final = 4 * 3600.0

KEPT_S: Final = 10
"""How long an ended answer is kept, and a cached one: a steady state is reached within a minute."""

KINDS: Final = {
    "native": 4,
    "socket": 4,
    "openai": 3,
    "openai-plain": 4,
    "json": 1,
    "left": 3,
    "canceled": 3,
    "idle": 5,
    "idle socket": 3,
    "hit": 2,
    "prediction": 0.05,
}
"""How often each visit is chosen. The first five are read to the end, by the readers of the chaos harness; `left`
leaves in the middle, `canceled` stops the generation, `idle` watches the slow one, a `hit` asks what others asked."""

_HITS: Final = 8
_WORDS: Final = "fox owl river stone lamp winter bread harbour letter garden clock violet copper ladder meadow".split()


class Scene(NamedTuple):
    """Where the logs are."""

    name: str
    redis: bool


SCENES: Final = {scene.name: scene for scene in (Scene("redis", redis=True), Scene("memory", redis=False))}


@dataclass(frozen=True, slots=True)
class Ask(chaos.Ask):
    """One prompt, by a key. Where it is `cached`, it is answered again from what was kept."""

    cached: bool = False

    def body(self, stream: bool) -> dict[str, Any]:
        asked = chaos.Ask.body(self, stream)
        return {name: value for name, value in asked.items() if name != "cache"} if self.cached else asked

    @property
    def truth(self) -> str:
        """What the scripted engine answers: words that are made from the prompt."""
        mark = hashlib.sha256(self.content.encode()).hexdigest()[:6]
        return " ".join(f"{mark}.0.{index}" for index in range(self.max_tokens))


@dataclass(frozen=True, slots=True)
class Plan:
    """So many places, each visited by one after the other, for so long."""

    seed: int = 0
    streams: int = 500
    seconds: float = 3600.0
    tokens: tuple[int, int] = (150, 450)
    token_ms: float = 80.0
    every_s: float | None = None
    """How often the server is looked at; by default 120 times, each half minute at most."""
    cut_bytes: int = 6_000
    """How much a connection reads before it is cut, on average."""
    patience_s: float = 30.0
    deadline_s: float = 180.0

    def __post_init__(self) -> None:
        for name, value, most in (
            ("streams", self.streams, MOST_STREAMS),
            ("seconds", self.seconds, MOST_SECONDS),
            ("tokens", self.tokens[1], 10_000),
            ("token_ms", self.token_ms, 10_000),
        ):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most:g}, not {value:g}")

    @property
    def sampled_s(self) -> float:
        """The seconds from one sample to the next."""
        return self.every_s or min(30.0, self.seconds / 120)

    @property
    def settle_s(self) -> float:
        """How long after the last visit nothing is to be left."""
        return 3.0 * KEPT_S

    def chance(self, *of: object) -> random.Random:
        """A source of chance for that alone."""
        return random.Random("/".join(map(str, (self.seed, *of))))

    def kind(self, chance: random.Random) -> str:
        """What a visit is for."""
        return chance.choices(list(KINDS), list(KINDS.values()))[0]

    def ask(self, kind: str, place: int, number: int, secret: str, chance: random.Random) -> Ask:
        """What a visit asks."""
        if kind == "hit":
            shared = chance.randrange(_HITS)
            return Ask(MODEL, f"What does everybody ask, {shared}?", 20 + shared, secret=secret, cached=True)
        # What a prediction took and gave is kept for an hour, whatever is set: it shall not be much.
        tokens = (10, 40) if kind == "prediction" else self.tokens
        content = f"Visit {number} of {place}: {' '.join(chance.choices(_WORDS, k=8))}."
        return Ask(MODEL, content, chance.randint(*tokens), secret=secret)

    def stay(self, chance: random.Random) -> float:
        """For how long somebody stays who leaves before the end, or only watches."""
        return chance.uniform(0.5, max(1.0, min(30.0, self.seconds / 4)))

    def cut(self, chance: random.Random) -> int | None:
        """After how many bytes a connection is cut; half of them never."""
        return None if chance.random() < 0.5 else 1 + int(chance.expovariate(1 / self.cut_bytes))

    def sources(self) -> dict[str, str]:
        """The engines. Nothing but `max_tokens` ends an answer."""
        return {
            MODEL: f"scripted:?token_ms={self.token_ms:g}&tokens=1000000",
            SLOW: "scripted:?token_ms=20000&tokens=1000000",
        }


def settings(admin_key: str) -> str:
    """The lines of hearth.toml: nothing is kept for long, and every key has something to pay."""
    return "\n".join(
        [
            f'admin_key = "{admin_key}"',
            f"keep_ended_s = {KEPT_S}",
            f"cache_ttl_s = {KEPT_S}",
            f"abandon_after_s = {KEPT_S / 2:g}",
            f"[model.{MODEL}]",
            "price_per_million_output = 1.0",
            "",
        ]
    )
