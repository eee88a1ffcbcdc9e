"""Which streams are stopped, how and when, decided before anything is sent, and what came of it. No I/O."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from loadtest.plan import PlanError
from loadtest.report import Spread, plain, table

RANDOM: Final = "at random"
AT_ONCE: Final = "all at once"


class Stop(NamedTuple):
    """One act: when, in seconds since all streams spoke, and on which place's stream."""

    at: float
    place: int


@dataclass(frozen=True, slots=True)
class Plan:
    """So many streams at a time; one that was stopped, or has ended, makes place for another."""

    streams: int = 128
    rate: float = 40.0
    """Streams that are stopped in a second."""
    seconds: float = 10.0
    tokens: int = 100_000
    token_ms: float = 50.0
    """Between two tokens of the upstream."""
    seed: int = 0
    model: str | None = None
    """A folder that vLLM can load, or `bundled`; None for the load test's own upstream, behind Hearth as a relay."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("streams", self.streams, 1, 256),
            ("rate", self.rate, 0.1, 1_000),
            ("seconds", self.seconds, 0.1, 300),
            ("tokens", self.tokens, 2, 100_000),
            ("token_ms", self.token_ms, 1, 1_000),
        ):
            if not least <= value <= most:
                raise PlanError(f"{name} must be from {least} to {most}, not {value:g}")

    def stops(self) -> Iterator[Stop]:
        """A Poisson process. Every place has its turn before one has another, in an order of chance."""
        chance, at, places = random.Random(self.seed), 0.0, list[int]()
        while (at := at + chance.expovariate(self.rate)) < self.seconds:
            places = places or chance.sample(range(self.streams), self.streams)
            yield Stop(at, places.pop())


class Act(NamedTuple):
    """One stream that was stopped, and seconds until its engine was seen to abort it; None if it never was."""

    manner: str
    way: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Results:
    """Every act."""

    plan: Plan
    acts: Sequence[Act]
    ended: int
    """Streams that came to their own end before they were stopped, or before their engine could hear of it."""
    failures: Sequence[str]
    """What went otherwise than it should."""
    empty_s: float | None
    """From the first of all those stopped at once until /metrics counted none, Hearth's or vLLM's; None if never."""
    server_share: float
    client_share: float
    """Of a core each, while streams were stopped at random; the load generator looks into the log as well."""

    @property
    def failed(self) -> bool:
        """Some stream went on, or was not begun or stopped as it should have been."""
        unseen = any(act.seconds is None for act in self.acts)
        return bool(self.failures or self.empty_s is None or not self.acts or unseen)

    def as_json(self) -> list[dict[str, Any]]:
        """Every act, and a last entry for what is of all."""
        of_all = {
            name: getattr(self, name) for name in ("ended", "failures", "empty_s", "server_share", "client_share")
        }
        return [*(act._asdict() for act in self.acts), plain(of_all)]

    def text(self) -> str:
        """All of it, for people."""
        head = ["stopped", "by", "streams", "p50 ms", "p99 ms", "most ms", "not seen"]
        kinds = [*dict.fromkeys((act.manner, act.way) for act in sorted(self.acts)), (RANDOM, "any"), (AT_ONCE, "any")]
        engine = "the upstream" if self.plan.model is None else "vLLM"
        empty = "never" if self.empty_s is None else f"{self.empty_s * 1000:.0f} ms after the first of all at once"
        return "\n".join(
            [
                f"{self.plan.streams} streams, from the client's act until {engine} says that it aborts:",
                "",
                table(head, [row for kind in kinds if (row := self._row(*kind))]),
                "",
                f"no generation was counted any more: {empty}; {self.ended} ended by themselves before",
                f"of a core, all of Hearth's processes used {self.server_share:.0%}, this one {self.client_share:.0%}",
                *(f"FAILED: {failure}" for failure in self.failures),
            ]
        )

    def _row(self, manner: str, way: str) -> list[str]:
        acts = [act for act in self.acts if act.manner == manner and way in (act.way, "any")]
        if not acts:
            return []
        times = Spread.of(act.seconds for act in acts if act.seconds is not None)
        cells = [f"{value:.1f}" for value in (times.p50, times.p99, times.most)]
        return [manner, way, str(len(acts)), *cells, str(sum(act.seconds is None for act in acts))]
