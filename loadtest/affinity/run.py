"""One server, three engines that know whose conversation is whose and three that do not, taking turns."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from loadtest.address import Address
from loadtest.affinity.counts import counts
from loadtest.affinity.mix import Mix
from loadtest.affinity.talk import Turn, talk
from loadtest.report import percentile, plain
from loadtest.servers import Recipe, running

MODELS: Final = {"with": True, "without": False}
"""Whether the conversations of each are kept to an engine."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one model. Times are in milliseconds, `later` those of every turn but the first."""

    turns: int
    errors: int
    prompt_tokens: int
    hits: float
    """Share of the prompts' tokens that vLLM found in its prefix caches, as it counts them."""
    cached: float
    """The same, as each answer's `usage` tells it."""
    first_p50: float
    first_p95: float
    later_p50: float
    later_p95: float
    busiest: float
    """Share of the answers that the busiest engine gave."""

    @classmethod
    def of(cls, turns: list[Turn], queries: float, hits: float, served: list[int]) -> Round:
        """Sum up what was told and counted."""
        good = [turn for turn in turns if turn.error is None]
        firsts, later = _times(good), _times([turn for turn in good if turn.number > 1])
        tokens = sum(turn.prompt_tokens for turn in good)
        return cls(
            len(good),
            len(turns) - len(good),
            tokens,
            hits / max(1.0, queries),
            sum(turn.cached_tokens for turn in good) / max(1, tokens),
            percentile(firsts, 0.5),
            percentile(firsts, 0.95),
            percentile(later, 0.5),
            percentile(later, 0.95),
            max(served, default=0) / max(1, sum(served)),
        )


def _times(turns: list[Turn]) -> list[float]:
    return [1000 * turn.first for turn in turns if turn.first is not None]


class Results:
    """All rounds of both."""

    def __init__(self, mix: Mix, engines: int, engine: str) -> None:
        self.mix, self.engines, self.engine = mix, engines, engine
        self.rounds: dict[str, list[Round]] = {name: [] for name in MODELS}

    @property
    def failed(self) -> bool:
        """Something was not answered."""
        return any(each.errors or not each.turns for rounds in self.rounds.values() for each in rounds)

    def as_json(self) -> list[dict[str, Any]]:
        """Every round."""
        return [
            {"affinity": name, "round": number, **plain(asdict(each))}
            for name, rounds in self.rounds.items()
            for number, each in enumerate(rounds, 1)
        ]


def affinity(mix: Mix, rounds: int, engines: int, engine: str, folder: Path, say: Callable[[str], None]) -> Results:
    """Start the server, take turns, and end it; its log is left in that folder. Raises ServerError."""
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(mix, engines, engine)
    with running(_recipe(engines, engine, folder), folder) as server:
        address = Address.of(server.url)
        for number in range(1, rounds + 1):
            # A B B A: a machine that grows slower does so for both.
            for name in list(MODELS)[:: 1 if number % 2 else -1]:
                say(f"round {number} of {rounds}, {name}")
                before = counts(address, name)
                told = uvloop.run(talk(address, name, mix.of_round(number), mix.answer_tokens))
                spent = counts(address, name).less(before)
                results.rounds[name].append(Round.of(told, spent.queries, spent.hits, list(spent.served.values())))
    return results


def _recipe(engines: int, engine: str, folder: Path) -> Recipe:
    config = folder / "hearth.toml"
    models = [f"{name}=vllm:bundled?{engine}" for name in MODELS for _ in range(engines)]
    tables = [f"[model.{name}]\naffinity = {str(kept).lower()}" for name, kept in MODELS.items()]
    config.write_text("\n".join([f"models = {models!r}", 'cache = "off"', *tables, ""]), encoding="utf-8")
    command = [sys.executable, "-m", "gateway", "serve", "--port", "{port}", "--config", str(config)]
    return Recipe("affinity", command, "/readyz")
