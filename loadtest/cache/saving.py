"""The same workload with the cache and without: what it spares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest.cache.simulator import OUTCOMES
from loadtest.cache.trial import Stage, Trial, trial
from loadtest.cache.workload import Workload
from loadtest.report import table


@dataclass(frozen=True, slots=True)
class Saving:
    """Both replays, and what a second of the engine costs."""

    workload: Workload
    stage: Stage
    price: float
    on: Trial
    off: Trial

    @property
    def failed(self) -> bool:
        """Some ask was not answered as it should have been."""
        return bool(self.on.errors or self.off.errors or not self.on.asks)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "workload": asdict(self.workload),
            "stage": asdict(self.stage),
            "price_per_second": self.price,
            "on": self.on.as_json(),
            "off": self.off.as_json(),
        }

    def text(self) -> str:
        """The figures for people."""
        on, off = self.on, self.off
        head = ["cache", "asks", *OUTCOMES, "runs", "engine s", "tokens out", f"cost at {self.price:g}/s", "errors"]
        rows = [self._row("off", off), self._row(f"TTL {on.ttl_s:g} s", on)]
        saved = off.engine_s - on.engine_s
        lines = [
            self.workload.text(),
            self.stage.text(),
            "",
            table(head, rows),
            "",
            f"saved: {saved:.0f} engine seconds ({_share(saved, off.engine_s)}),"
            f" {off.spent.output_tokens - on.spent.output_tokens:.0f} tokens"
            f" ({_share(off.spent.output_tokens - on.spent.output_tokens, off.spent.output_tokens)}),"
            f" {saved * self.price:.3f} of {off.engine_s * self.price:.3f}",
            "",
            "until the first text, in ms of the clock on the wall:",
            table(
                ["cache", "outcome", "answer", "p50", "p90", "p99", "most"], [*_firsts("off", off), *_firsts("on", on)]
            ),
        ]
        return "\n".join(lines)

    def _row(self, name: str, one: Trial) -> list[str]:
        shares = (f"{one.share(outcome):.1%}" for outcome in OUTCOMES)
        costs = f"{one.engine_s * self.price:.3f}"
        spent = [f"{one.spent.runs:.0f}", f"{one.engine_s:.0f}", f"{one.spent.output_tokens:.0f}", costs]
        errors = ", ".join(f"{count} {code}" for code, count in one.errors.items()) or "0"
        return [name, str(one.asks), *shares, *spent, errors]


def saving(
    workload: Workload, stage: Stage, ttl_s: float, price: float, folder: Path, say: Callable[[str], None]
) -> Saving:
    """Replay it twice, at servers of their own. Raises ServerError."""
    minutes = workload.seconds / stage.compress / 60
    say(f"two replays of {minutes:.1f} minutes each: with the cache, and without")
    on = trial(workload, stage, ttl_s, folder)
    return Saving(workload, stage, price, on, trial(workload, stage, None, folder))


def _firsts(name: str, one: Trial) -> list[list[str]]:
    return [
        [name, *kind, *(f"{value:.1f}" for value in (spread.p50, spread.p90, spread.p99, spread.most))]
        for kind, spread in one.first.items()
    ]


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"
