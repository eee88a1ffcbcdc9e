"""What was spent and saved, and from which traffic on an engine of one's own is cheaper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from gateway.money.base import Line, Use
from gateway.money.periods import DAY_S
from gateway.money.prices import NANO, written
from gateway.money.upkeep import KEEPER


def costs(lines: Sequence[Line], own_per_hour: float | None = None) -> dict[str, Any]:
    """The sums over those lines, what cache and keeper saved, and the break-even with a machine at that price.

    `days` are those from the first to the last with any traffic, both counted.
    """
    kept = {line.outcome: Use() for line in lines if line.key == KEEPER}
    for line in lines:
        if line.key == KEEPER:
            kept[line.outcome] = kept[line.outcome].plus(line.use)
    lines = [line for line in lines if line.key != KEEPER]
    days = _days(lines)
    runs = _sum(line for line in lines if line.outcome not in ("hit", "join"))
    told: dict[str, Any] = {
        "days": days,
        "calls": sum(line.use.calls for line in lines),
        "runs": runs.calls,
        "engine_seconds": runs.milliseconds / 1000,
        "cost": written(runs.cost + runs.unpaid),
        "unpaid": written(runs.unpaid),
        "cache": {how: _spared(_sum(line for line in lines if line.outcome == how)) for how in ("hit", "join")},
        "keeper": _kept(kept),
    }
    if own_per_hour is not None:
        told["own"] = break_even(runs, days, own_per_hour)
    return told


def break_even(runs: Use, days: int, per_hour: float) -> dict[str, Any] | None:
    """A machine of one's own, which costs every hour, against paying for what is used; None without any cost.

    `busy` is the share of the time for which engines worked. `busy_needed` is the share from which on the machine is
    the cheaper one, at what a second of this traffic cost; above 1 it never is. Seconds of answers that ran at
    once are counted each, as they are paid.
    """
    cost = (runs.cost + runs.unpaid) / NANO
    if not days or not cost:
        return None
    seconds = runs.milliseconds / 1000
    per_second = cost / seconds if seconds else None
    return {
        "per_hour": per_hour,
        "per_day": per_hour * 24,
        "cost_per_day": cost / days,
        "busy": seconds / (days * DAY_S),
        "busy_needed": per_hour / 3600 / per_second if per_second else None,
        "pays": cost / days > per_hour * 24,
    }


def _sum(lines: Iterable[Line]) -> Use:
    total = Use()
    for line in lines:
        total = total.plus(line.use)
    return total


def _spared(use: Use) -> dict[str, Any]:
    return {"calls": use.calls, "saved": written(use.saved), "saved_seconds": use.saved_milliseconds / 1000}


def _kept(uses: Mapping[str, Use]) -> dict[str, Any]:
    idle, beats, spared = (uses.get(what, Use()) for what in ("idle", "beat", "spared"))
    return {
        "idle_seconds": idle.milliseconds / 1000,
        "idle_cost": written(idle.cost),
        "heartbeats": beats.calls,
        "heartbeat_seconds": beats.milliseconds / 1000,
        "heartbeat_cost": written(beats.cost),
        "spared_boots": spared.calls,
        "spared_seconds": spared.saved_milliseconds / 1000,
    }


def _days(lines: Sequence[Line]) -> int:
    days = [date.fromisoformat(line.day) for line in lines]
    return (max(days) - min(days)).days + 1 if days else 0
