"""What is asked and what is broken: decided by a seed before anything runs. No I/O."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from loadtest.plan import PlanError

MOST_STREAMS: Final = 1_000
MOST_SECONDS: Final = 1_800.0
REPLICAS: Final = 3

Kind = Literal["native", "socket", "openai", "openai-plain", "json"]
"""How a stream is read: SSE or WebSocket of our own, OpenAI's with `X-Resumable: 1` and without, one JSON answer."""

KINDS: Final[tuple[Kind, ...]] = ("native", "native", "socket", "socket", "openai", "openai", "openai-plain", "json")
"""As often as each stands here."""

Deed = Literal["kill", "freeze", "roll", "pubsub", "links", "pause", "restart", "forget"]
"""What is done: to a replica (kill -9; SIGSTOP past its lease; SIGTERM to one after the other), and to Redis (its
Pub/Sub connections cut; all others cut; SIGSTOP; kill -9 and started again, with its data or without)."""

_WORDS: Final = "fox owl river stone lamp winter bread harbour letter garden clock violet copper ladder meadow".split()


@dataclass(frozen=True, slots=True)
class Harm:
    """One thing that breaks. `lasting` is for how many seconds, where it is mended only then."""

    pause: float
    deed: Deed
    replica: int
    lasting: float


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the run: what breaks in it, each as often as it is named. `forgets`: logs may be lost, and are told."""

    name: str
    seconds: float
    deeds: tuple[Deed, ...]

    @property
    def forgets(self) -> bool:
        return "forget" in self.deeds

    def harms(self, seed: int, lease_s: float) -> Iterator[Harm]:
        """One harm after another without end: all deeds in turn, in an order of chance, so that none is left out."""
        chance = random.Random(f"{seed}/{self.name}")
        while True:
            for deed in chance.sample(self.deeds, len(self.deeds)):
                lasting = chance.uniform(1.2, 3.5) * lease_s if deed == "freeze" else chance.uniform(0.1, 1.5) * lease_s
                yield Harm(chance.uniform(0.3, 1.5), deed, chance.randrange(REPLICAS), lasting)


PHASES: Final[Mapping[str, tuple[Deed, ...]]] = {
    "replicas": ("kill", "kill", "freeze", "roll"),
    "redis": ("pubsub", "links", "pause", "restart", "restart"),
    "all": ("kill", "pubsub", "restart", "freeze", "links", "roll", "pause"),
    "forgetting": ("forget", "pubsub", "kill", "forget", "freeze"),
}


def phases(names: Sequence[str], seconds: float) -> tuple[Phase, ...]:
    """Those phases, of one length. Raises PlanError."""
    unknown = set(names) - set(PHASES)
    if unknown or not names:
        raise PlanError(f"phases are some of {', '.join(PHASES)}; not {', '.join(unknown) or 'none'}")
    return tuple(Phase(name, seconds / len(names), PHASES[name]) for name in names)


@dataclass(frozen=True, slots=True)
class Ask:
    """One prompt: the same answer each time. Where it is `shared`, whoever asks it at once follows one run."""

    model: str
    content: str
    max_tokens: int
    shared: bool = False
    secret: str = field(default="", repr=False)
    """The key that asks; without one nobody does."""

    @property
    def headers(self) -> dict[str, str]:
        """Who asks."""
        return {"authorization": f"Bearer {self.secret}"} if self.secret else {}

    def body(self, stream: bool) -> dict[str, Any]:
        """It as an OpenAI body."""
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": self.content}],
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": stream,
            # A kept answer has nothing left that could break.
            "cache": {"ttl": 0} if self.shared else {"no-store": True},
        }

    def packed(self, stream: bool) -> bytes:
        """It as the bytes of a body."""
        return json.dumps(self.body(stream)).encode()


@dataclass(frozen=True, slots=True)
class Plan:
    """A bounded run. Each of `streams` places has a prompt of its own, which is asked again and again."""

    seed: int
    streams: int
    phases: tuple[Phase, ...]
    tokens: tuple[int, int]
    cut_bytes: int = 2_500
    """How much a reader reads before it is cut, on average."""
    lease_s: float = 2.0
    patience_s: float = 20.0
    """A connection that is silent for so long hangs."""
    deadline_s: float = 120.0
    """A stream that has not ended by then hangs."""

    def __post_init__(self) -> None:
        seconds = sum(phase.seconds for phase in self.phases)
        for name, value, most in (("streams", self.streams, MOST_STREAMS), ("seconds", seconds, MOST_SECONDS)):
            if not 0 < value <= most:
                raise PlanError(f"{name} must be more than 0 and at most {most:g}, not {value:g}")

    def ask(self, model: str, place: int) -> Ask:
        """The prompt of a place."""
        chance = self.chance("ask", place)
        words = " ".join(chance.choices(_WORDS, k=8))
        content = f"Tell me story {self.seed} {place}: {words}."
        return Ask(model, content, chance.randint(*self.tokens), shared=place % 2 == 1)

    def chance(self, *of: object) -> random.Random:
        """A source of chance for that alone."""
        return random.Random("/".join(map(str, (self.seed, *of))))

    def cut(self, chance: random.Random) -> int | None:
        """After how many bytes a connection is cut: some at once, in the headers; some never."""
        if chance.random() < 0.1:
            return None
        return 1 + int(chance.expovariate(1 / self.cut_bytes))
