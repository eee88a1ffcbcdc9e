"""One workload at a server of its own, with the cache or without."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from loadtest.address import Address
from loadtest.cache.replay import Replay, Told
from loadtest.cache.workload import Workload
from loadtest.report import Spread, plain
from loadtest.servers import MODEL, Recipe, running
from loadtest.spent import Spent, spent


@dataclass(frozen=True, slots=True)
class Stage:
    """What answers, and how many times faster than meant all of it happens: arrivals, TTL, and a scripted engine.

    A model on vLLM answers as fast as it can, whatever the arrivals are.
    """

    prefill_ms: float = 300.0
    token_ms: float = 30.0
    tokens: int = 24
    compress: float = 60.0
    vllm: bool = False

    @property
    def source(self) -> str:
        if self.vllm:
            return "vllm:bundled"
        times = f"prefill_ms={self.prefill_ms / self.compress:g}&token_ms={self.token_ms / self.compress:g}"
        # Nothing but `max_tokens` ends an answer.
        return f"scripted:?{times}&tokens=1000000"

    @property
    def answer_s(self) -> float:
        """How long a run is meant to take, uncompressed."""
        return (self.prefill_ms + self.token_ms * (self.tokens - 1)) / 1000

    @property
    def scale(self) -> float:
        """How many seconds a measured second of the engine stands for."""
        return 1.0 if self.vllm else self.compress

    def text(self) -> str:
        """In one line."""
        if self.vllm:
            return (
                f"the bundled model on vLLM, max_tokens {self.tokens}; arrivals and TTL {self.compress:g} times as fast"
            )
        return (
            f"scripted engine, prefill {self.prefill_ms:g} ms, {self.tokens} tokens at {self.token_ms:g} ms; arrivals,"
            f" TTL and engine {self.compress:g} times as fast as stated, its seconds told uncompressed"
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """What one replay came to. Engine seconds are uncompressed; the times to the first text are as measured."""

    ttl_s: float | None
    """None where the cache was off."""
    outcomes: Mapping[str, int]
    errors: Mapping[str, int]
    engine_s: float
    spent: Spent
    first: Mapping[tuple[str, str], Spread]
    """Until the first text, by outcome and manner; only of those that there were."""

    @classmethod
    def of(cls, ttl_s: float | None, told: Sequence[Told], used: Spent, scale: float) -> Trial:
        """Count what was told, and what the engine used for it."""
        good = [each for each in told if each.error is None]
        kinds = sorted({(each.outcome, each.manner) for each in good})
        first = {kind: Spread.of(each.text for each in good if (each.outcome, each.manner) == kind) for kind in kinds}
        return cls(
            ttl_s,
            dict(Counter(each.outcome for each in good)),
            dict(Counter(each.error for each in told if each.error)),
            used.seconds * scale,
            used,
            first,
        )

    @property
    def asks(self) -> int:
        """Those that were answered."""
        return sum(self.outcomes.values())

    def share(self, *outcomes: str) -> float:
        """How much of all answers came so."""
        return sum(self.outcomes.get(name, 0) for name in outcomes) / max(1, self.asks)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values; what could not be measured is null."""
        return {
            **{name: plain(value) for name, value in asdict(self).items()},
            "spent": self.spent._asdict(),
            "first": {" ".join(of): plain(asdict(spread)) for of, spread in self.first.items()},
        }


def trial(workload: Workload, stage: Stage, ttl_s: float | None, folder: Path) -> Trial:
    """Start a server, replay, and end it; its log is left in that folder. Raises ServerError."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "off" if ttl_s is None else f"on-{workload.skew:g}-{ttl_s:g}"
    given = ["--cache", "off"] if ttl_s is None else ["--cache-ttl-s", f"{ttl_s / stage.compress:g}"]
    options = ["--model", f"{MODEL}={stage.source}", "--state-file", str(folder / f"{name}.db"), *given]
    command = [sys.executable, "-m", "gateway", "serve", "--port", "{port}", *options]
    with running(Recipe(name, command, "/readyz"), folder) as server:
        before = spent(server.url)
        replay = Replay(Address.of(server.url), stage.compress, stage.tokens)
        told = uvloop.run(replay.run(workload.asks()))
        return Trial.of(ttl_s, told, spent(server.url).less(before), stage.scale)
