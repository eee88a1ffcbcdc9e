"""How the time that a relay adds is measured, and what came of it. No I/O."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadtest.plan import PlanError
from loadtest.report import Spread, plain, table
from loadtest.rounds import spread

DIRECT: Final = "direct"
RELAY: Final = "relay"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many streams on each side, what is behind, and how often."""

    streams: int = 128
    requests: int = 100
    """Of one round with a single stream, on each side."""
    tokens: int = 32
    prefill_ms: float = 20.0
    token_ms: float = 20.0
    rounds: int = 5
    seconds: float = 5.0
    """Of one round with many streams."""
    vllm: Path | None = None
    """A model's folder, for `vllm serve`; None for the upstream of stated pace."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("streams", self.streams, 1, 1_024),
            ("requests", self.requests, 1, 10_000),
            ("tokens", self.tokens, 2, 4_096),
            ("prefill_ms", self.prefill_ms, 0, 10_000),
            ("token_ms", self.token_ms, 0, 1_000),
            ("rounds", self.rounds, 1, 50),
            ("seconds", self.seconds, 0.1, 120),
        ):
            if not least <= value <= most:
                raise PlanError(f"{name} must be from {least} to {most}, not {value:g}")

    def length(self, chance: random.Random) -> int:
        """How long an answer is: not all alike, so that the streams do not fall into step."""
        return chance.randint(max(1, self.tokens // 2), self.tokens * 3 // 2)

    @property
    def answer_s(self) -> float:
        """How long one takes, where the pace is stated."""
        return (self.prefill_ms + self.tokens * self.token_ms) / 1000


class Side(NamedTuple):
    """Times to first token of one side in one round, and the answers that were not whole."""

    firsts: Sequence[float]
    wrong: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One round with so many streams a side. `relay_us` is the relay's CPU for a token."""

    streams: int
    direct: Spread
    relay: Spread
    answers: int
    wrong: int
    relay_us: float
    client_share: float

    @classmethod
    def of(cls, streams: int, sides: dict[str, Side], relay_us: float, client_share: float) -> Turn:
        """Sum up what was seen."""
        direct, relay = (Spread.of(sides[name].firsts) for name in (DIRECT, RELAY))
        answers = min(len(side.firsts) for side in sides.values())
        return cls(streams, direct, relay, answers, sum(side.wrong for side in sides.values()), relay_us, client_share)


@dataclass(frozen=True, slots=True)
class Results:
    """Every turn, by how many streams it had."""

    turns: dict[int, list[Turn]]

    @property
    def failed(self) -> bool:
        """Some answer was not whole, or a side gave none."""
        return any(turn.wrong or not turn.answers for turns in self.turns.values() for turn in turns)

    def as_json(self) -> list[dict[str, Any]]:
        """Every turn."""
        return [
            {"round": number, **plain(asdict(turn))}
            for turns in self.turns.values()
            for number, turn in enumerate(turns, 1)
        ]

    def text(self) -> str:
        """Both tables."""
        head = ["streams", "side", "TTFT p50 ms", "p90 ms", "p99 ms", "most ms", "answers"]
        rows = [
            [str(streams), name, *_medians(turns, of), str(sum(turn.answers for turn in turns))]
            for streams, turns in self.turns.items()
            for name, of in _SIDES.items()
        ]
        added = [
            [
                str(streams),
                spread([turn.relay.p50 - turn.direct.p50 for turn in turns]),
                spread([turn.relay.p99 - turn.direct.p99 for turn in turns]),
                f"{statistics.median(turn.relay_us for turn in turns):.1f}",
                f"{statistics.median(turn.client_share for turn in turns):.0%}",
            ]
            for streams, turns in self.turns.items()
        ]
        return "\n\n".join(
            [
                "medians of the rounds; streams are those of each side, at the same time:",
                table(head, rows),
                "added by the relay, of the same round, median (least..most):",
                table(["streams", "p50 ms", "p99 ms", "relay us/tok", "client"], added),
            ]
        )


_SIDES: Final[dict[str, Callable[[Turn], Spread]]] = {
    DIRECT: lambda turn: turn.direct,
    RELAY: lambda turn: turn.relay,
}


def _medians(turns: Sequence[Turn], of: Callable[[Turn], Spread]) -> list[str]:
    each = [of(turn) for turn in turns]
    columns = zip(*((one.p50, one.p90, one.p99, one.most) for one in each), strict=True)
    return [f"{statistics.median(column):.2f}" for column in columns]
