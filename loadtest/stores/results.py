"""How the stores are compared, and what came of it. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

from loadtest.address import Address
from loadtest.monitor import Sent
from loadtest.plan import PlanError
from loadtest.recipes import scripted, vllm
from loadtest.redis import Traffic
from loadtest.report import plain, table
from loadtest.rounds import Rounds, spread
from loadtest.servers import ENGINE, Recipe
from loadtest.steady import Steady, chat

MEMORY: Final = "memory"
REDIS: Final = "redis"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many streams of how long answers, how often, and on which engine."""

    streams: int = 64
    tokens: int = 128
    token_ms: float = 10.0
    rounds: int = 5
    warm_s: float = 1.0
    seconds: float = 5.0
    model: str | None = None
    """A folder that vLLM can load, or `bundled`; None for the scripted engine."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("streams", self.streams, 1, 1_024),
            ("tokens", self.tokens, 2, 4_096),
            ("token_ms", self.token_ms, 0, 1_000),
            ("rounds", self.rounds, 1, 50),
            ("seconds", self.seconds, 0.1, 120),
        ):
            if not least <= value <= most:
                raise PlanError(f"{name} must be from {least} to {most}, not {value:g}")

    def recipe(self, name: str, options: tuple[str, ...]) -> Recipe:
        """A server that keeps its logs as those options say."""
        if self.model is None:
            return scripted(name, f"tokens=1000000&token_ms={self.token_ms}", options)
        return vllm(name, self.model, ENGINE, options)

    def questions(self, address: Address, number: int) -> Callable[[int], bytes]:
        """What is asked in that round; no two questions are alike."""
        return lambda one: chat(address, f"{number} {one}", self.tokens, ignore_eos=self.model is not None)


class Turn(NamedTuple):
    """One turn: the streams, and what Redis was asked for all of their tokens."""

    streams: Steady
    traffic: Traffic

    def commands(self) -> float:
        """Per token, those within scripts too."""
        return sum(self.traffic.commands.values()) / max(1, self.streams.all_tokens)

    def bytes_in(self) -> float:
        """Per token."""
        return self.traffic.bytes_in / max(1, self.streams.all_tokens)


@dataclass(frozen=True, slots=True)
class Results:
    """Every turn, and what MONITOR told in a turn of its own."""

    plan: Plan
    rounds: Rounds[Turn]
    sent: Sent

    @property
    def failed(self) -> bool:
        """Some answer was not whole."""
        return any(turn.streams.wrong or not turn.streams.tokens for turn in self.rounds.all())

    def sent_per_token(self, turn: Turn) -> float:
        """Commands that came over connections: those that Redis counted, without the share that scripts ran."""
        told = self.sent.by_clients + self.sent.within_scripts
        return turn.commands() * self.sent.by_clients / max(1, told)

    def as_json(self) -> list[dict[str, Any]]:
        """Every turn."""
        return [
            {"store": name, "round": number, **plain(asdict(turn.streams)), "redis": turn.traffic._asdict()}
            for name, turns in self.rounds.turns.items()
            for number, turn in enumerate(turns, 1)
        ]

    def text(self) -> str:
        """All of it, for people."""
        rounds = self.rounds
        head = ["store", "tok/s", "server us/tok", "redis us/tok", "events/tok", "server", "redis", "client"]
        ratio = spread(rounds.ratios(REDIS, MEMORY, lambda turn: turn.streams.us("server")))
        both = spread(rounds.ratios(REDIS, MEMORY, lambda turn: turn.streams.us("server") + turn.streams.us("redis")))
        turns = rounds.turns[REDIS]
        tokens = max(1, sum(turn.streams.all_tokens for turn in turns))
        calls = sum((Counter(turn.traffic.commands) for turn in turns), Counter[str]())
        each = ", ".join(f"{name} {count / tokens:.3f}" for name, count in calls.most_common() if count > tokens / 200)
        return "\n".join(
            [
                f"{self.plan.streams} streams of {self.plan.tokens} tokens, medians of {len(turns)} rounds:",
                "",
                table(head, [[name, *self._cells(name)] for name in rounds.names]),
                "",
                f"CPU of the server for a token, redis/memory: {ratio}; Redis's own with it: {both}",
                f"commands sent for a token: {spread(list(map(self.sent_per_token, turns)))};"
                f" with those within scripts: {each}",
                f"bytes into Redis: {spread([turn.bytes_in() for turn in turns])} for a token,"
                f" {spread([turn.bytes_in() * turn.streams.per_second for turn in turns])} a second",
            ]
        )

    def _cells(self, name: str) -> list[str]:
        def median(of: Callable[[Steady], float]) -> float:
            return self.rounds.median(name, lambda turn: of(turn.streams))

        return [
            f"{median(lambda one: one.per_second):.0f}",
            f"{median(lambda one: one.us('server')):.1f}",
            f"{median(lambda one: one.us('redis')):.1f}",
            f"{median(lambda one: one.events_per_token):.2f}",
            f"{median(lambda one: one.share('server')):.0%}",
            f"{median(lambda one: one.share('redis')):.0%}",
            f"{median(lambda one: one.client_share):.0%}",
        ]
