"""Figures and results that were never measured, to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.compare.results import Results, Turn
from loadtest.figures import Figures, Load
from loadtest.machine import Machine
from loadtest.processes import Process
from loadtest.record import Record

MACHINE = Machine("2026-11-22 01:00 UTC", 2, "a <processor>", 24.0, "Linux", "3.11", "abc1234")


def figures(
    tokens_per_second: int = 100,
    first_s: float = 0.1,
    seconds: int = 10,
    client: float = 0.1,
    errors: Mapping[str, int] | None = None,
) -> Figures:
    """Ten requests and their errors, with everything measured."""
    record = Record(requests=10 + sum((errors or {}).values()), answered=10, tokens=tokens_per_second * seconds)
    record.events = record.answered_events = record.tokens
    record.errors.update(errors or {})
    for _ in range(10):
        record.first.record(first_s)
        record.gap.record(0.01)
        record.total.record(1.0)
        record.sent.record(0.0)
    for second in range(seconds):
        record.started(second)
        record.said(second, tokens_per_second)
    processes = [Process(1, "front", True, 1.0, 100.0), Process(2, "EngineCore", False, 3.0, 900.0)]
    return Figures.of(record, seconds, Load([client * seconds], client * seconds + 4.0), processes)


def unmeasured() -> Figures:
    """What a run comes to that nobody answered, at a server whose processes are not known."""
    return Figures.of(Record(requests=1), 1.0, Load([0.0], 0.0))


def results(*turns: Turn, against: str = "", versions: Mapping[str, Mapping[str, str]] | None = None) -> Results:
    """Of these turns; against the last one's server, if none is named."""
    command = "python -m loadtest compare"
    return Results(turns, against or turns[-1].server, "chat; closed loop", command, MACHINE, versions or {})


def alone(told: Figures) -> Results:
    """As one run is shown."""
    turn = Turn("campfire", 8, 1, told)
    return Results.alone(turn, "chat; closed loop, 8 at a time", "python -m loadtest run", MACHINE)


def beside(names: Sequence[str], levels: Sequence[int] = (1, 8), rounds: int = 3) -> Results:
    """As many turns as a comparison has."""
    turns = [Turn(name, level, each, figures()) for each in range(1, rounds + 1) for level in levels for name in names]
    return results(*turns)
