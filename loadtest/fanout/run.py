"""Hearth and the bare writer by turns, as fast as they go; then Hearth at a pace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from loadtest.fanout.plan import Plan
from loadtest.fanout.turn import Turn, turn
from loadtest.report import plain
from loadtest.servers import MODEL, Recipe, Server, running
from loadtest.sockets import allow

BARE: Final = "bare"
HEARTH: Final = "hearth"
PACED: Final = "paced"

_PATIENT: Final = "connect_s=60&health_s=900"
"""A loop that is busy with very many readers is slow to see that its engine is well."""
_LOG_BYTES: Final = 1 << 30
"""A generation that speaks as fast as it can is long."""


@dataclass(frozen=True, slots=True)
class Results:
    """Every turn, by readers and by who wrote, in the order of the rounds."""

    turns: dict[tuple[int, str], list[Turn]] = field(default_factory=dict)

    def note(self, name: str, one: Turn) -> None:
        """Add one."""
        self.turns.setdefault((one.readers, name), []).append(one)

    @property
    def levels(self) -> list[int]:
        """Readers, where both were measured."""
        return [readers for readers, name in self.turns if name == HEARTH]

    @property
    def failed(self) -> bool:
        """Some reader did not get everything once and in order."""
        return any(one.failed for turns in self.turns.values() for one in turns)

    def ratios(self, readers: int, of: Callable[[Turn], float]) -> list[float]:
        """Of Hearth to the bare writer in the same round."""
        # A run that broke off may have left a round half done.
        pairs = zip(self.turns[readers, HEARTH], self.turns[readers, BARE], strict=False)
        return [of(ours) / of(bare) for ours, bare in pairs]

    def as_json(self) -> list[dict[str, Any]]:
        """Every turn."""
        return [
            {"server": name, "round": number, **plain(asdict(one))}
            for (_, name), turns in self.turns.items()
            for number, one in enumerate(turns, 1)
        ]


def fanout(plan: Plan, folder: Path, results: Results, say: Callable[[str], None]) -> None:
    """Start what is measured, level by level, and end it; the logs are left in that folder.

    Raises PlanError, ServerError.
    """
    allow(max((*plan.levels, *plan.paced), default=0))
    folder.mkdir(parents=True, exist_ok=True)
    for readers in plan.levels:
        with ExitStack() as stack:
            servers = [stack.enter_context(running(each, folder)) for each in _fast(plan.wait_ms(readers), folder)]
            _rounds(plan, servers, readers, results, say)
    for readers in plan.paced:
        with ExitStack() as stack:
            speaker = stack.enter_context(running(_speaker(plan.wait_ms(readers), plan.token_ms), folder))
            server = stack.enter_context(running(_hearth(PACED, f"openai:{speaker.url}/v1?{_PATIENT}", folder), folder))
            for number in range(1, plan.rounds + 1):
                say(f"{readers} readers at a pace, round {number} of {plan.rounds}")
                results.note(PACED, turn(server, readers, plan.paced_seconds, lag=True))


def _rounds(plan: Plan, servers: Sequence[Server], readers: int, results: Results, say: Callable[[str], None]) -> None:
    for number in range(1, plan.rounds + 1):
        say(f"{readers} readers, round {number} of {plan.rounds}")
        # A B A B: a machine that grows slower does so for both.
        for server in servers:
            results.note(server.name, turn(server, readers, plan.seconds))


def _fast(wait_ms: int, folder: Path) -> Iterator[Recipe]:
    # It takes less than a tenth of the time to let a reader in.
    bare = [sys.executable, "-m", "loadtest.fanout.bare", "--port", "{port}", "--wait-ms", str(wait_ms // 10)]
    yield Recipe(BARE, bare, "/readyz")
    yield _hearth(HEARTH, f"scripted:?prefill_ms={wait_ms}&tokens=1000000000", folder)


def _hearth(name: str, source: str, folder: Path) -> Recipe:
    state = ["--state-file", str(folder / f"{name}.db"), "--files", str(folder / "files")]
    room = ["--generation-bytes", str(_LOG_BYTES), "--keep-ended-s", "0", "--drain-s", "0"]
    command = [sys.executable, "-m", "gateway", "serve", "--port", "{port}", "--model", f"{MODEL}={source}"]
    return Recipe(name, [*command, *state, *room], "/readyz")


def _speaker(wait_ms: int, token_ms: float) -> Recipe:
    pace = ["--wait-ms", str(wait_ms), "--token-ms", str(token_ms)]
    return Recipe("speaker", [sys.executable, "-m", "loadtest.fanout.speaker", "--port", "{port}", *pace], "/health")
