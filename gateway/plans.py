"""How each model is to be kept warm, as its table says. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from engines.habits import Bounds
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
    per_second = table.price_per_second
    if per_second is None:
        per_second = prices.get(table.hardware, 0.0) if table.hardware is not None else 0.0
    bounds = Bounds(
        floor_hours=table.auto_floor_hours,
        ceiling_hours=table.auto_ceiling_hours,
        budget_per_day=math.inf if table.auto_budget_per_day is None else table.auto_budget_per_day,
        cost_per_hour=3600 * per_second,
    )
    return Wish(bare.zone, bare.left_out, bounds)
