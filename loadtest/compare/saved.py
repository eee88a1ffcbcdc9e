"""Results from files: what `compare` left, or runs that `run` left, which then stand beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from loadtest.compare.results import Results, Turn, busiest
from loadtest.figures import Figures
from loadtest.machine import Machine
from loadtest.plan import PlanError


def saved(files: Sequence[Path]) -> Results:
    """Return what the files tell, measured against the last one's server. Raises PlanError.

    Single runs are called by their files, and count as one round at one level, whatever their loads were.
    """
    parts = [_read(file) for file in files]
    turns = [turn for part in parts for turn in part.turns]
    if all(len(part.turns) == 1 for part in parts):
        most = max(turn.streams for turn in turns)
        turns = [turn._replace(streams=most, round=1) for turn in turns]
        if len({turn.server for turn in turns}) < len(turns):
            raise PlanError("saved runs are called by their files: give each another name")
    versions = {server: packages for part in parts for server, packages in part.versions.items()}
    return replace(parts[-1], turns=turns, versions=versions)


def _read(file: Path) -> Results:
    try:
        told = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        if told.get("runs"):
            return Results.from_json(told)
        figures = Figures.from_json(told)
        turn = Turn(file.stem, busiest(figures), 1, figures)
        return Results.alone(turn, told["load"], told["command"], Machine(**told["machine"]))
    except (OSError, KeyError, TypeError, msgspec.DecodeError) as error:
        raise PlanError(f"{file} holds no run, and no comparison: {error!r}") from None
