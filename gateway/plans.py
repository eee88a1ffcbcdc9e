"""How each model is to be kept warm, as its table says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engines.hours import ActiveHours
from engines.keeper import Plan
from engines.learning import Wish
from gateway.tables import ModelTable

_IDLE_S: Final = 300.0
"""Outside its hours a model that has any goes cold after so long, unless its table says otherwise."""


def plan(table: ModelTable) -> Plan:
    """The plan of a model; learned hours are put into it later."""
    kept = bool(table.active_hours)
    idle_s = _IDLE_S if kept and table.idle_seconds is None else table.idle_seconds
    return Plan(table.hours(), table.heartbeat_s, idle_s)


def wish(table: ModelTable, prices: Mapping[str, float]) -> Wish | None:
    """What is to be learned; None where the hours are fixed, or there are none."""
    if table.active_hours != "auto":
        return None
    bare = ActiveHours.parse((), table.time_zone, table.left_out)
    return Wish(bare.zone, bare.left_out, table.bounds(prices))
