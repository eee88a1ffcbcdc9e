"""How warm every model and each of its engines is, in all replicas, as people are shown it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from engines.board import Seen, Sighting
from engines.keeper import Plan
from engines.states import BEST
from engines.together import together
from gateway.money.prices import Prices, written


class Means(NamedTuple):
    """What is set for a model, and what it has cost."""

    plan: Plan = Plan()
    prices: Prices = Prices()
    spent: int = 0
    """What its callers have spent today, in nanos."""


def status(model: str, seen: Seen, means: Means, now: float) -> dict[str, Any]:
    """One model. Moments are unix seconds, amounts decimals as text; what is not known is None."""
    told = {engine: by for engine, by in seen.items() if any(each.model == model for each in by.values())}
    merged = {engine: together(by) for engine, by in sorted(told.items())}
    best = min(merged.values(), key=_warmth)
    return {
        "id": model,
        "object": "model",
        "state": best.state,
        "since": best.since,
        "stage": best.stage,
        "ready_seconds": best.ready_s,
        "next": _next(best),
        "hours": _hours(means.plan, now),
        "idle_seconds": means.plan.idle_s,
        "running": sum(each.running for each in merged.values()),
        "waiting": sum(each.waiting for each in merged.values()),
        "outstanding_tokens": sum(each.outstanding for each in merged.values()),
        "tokens_per_second": round(sum(each.tokens_per_s for each in merged.values()), 1),
        "cost_today": written(means.spent),
        "engines": [_engine(engine, each, sorted(told[engine]), means.prices) for engine, each in merged.items()],
    }


def _engine(engine: str, told: Sighting, replicas: Sequence[str], prices: Prices) -> dict[str, Any]:
    return {
        "id": engine,
        "replicas": replicas,
        "state": told.state,
        "since": told.since,
        "stage": told.stage,
        "ready_seconds": told.ready_s,
        "next": _next(told),
        "cooled": told.cooled_at or None,
        "running": told.running,
        "outstanding_tokens": told.outstanding,
        "tokens_per_second": round(told.tokens_per_s, 1),
        "breaker": told.breaker,
        "boots": {"count": told.boots, "last_seconds": told.boot_s, "estimated_seconds": told.boot_estimate_s},
        "heartbeats": {
            "count": told.beats,
            "seconds": round(told.beat_s, 3),
            "cost": written(math.ceil(told.beat_s * prices.second)),
            "last": told.beat_at or None,
            "alarm": told.alarm,
        },
    }


def _warmth(told: Sighting) -> tuple[int, float]:
    return BEST.index(told.state), math.inf if told.ready_s is None else told.ready_s


def _next(told: Sighting) -> dict[str, Any] | None:
    return {"at": told.next_at, "why": told.next_why} if told.next_why else None


def _hours(plan: Plan, now: float) -> dict[str, Any] | None:
    if plan.hours is None:
        return None
    change = plan.hours.next_change(now)
    return {
        "why": plan.hours.why,
        "open": plan.hours.at(now),
        "change": None if change is None else {"at": change.at, "kind": change.kind},
    }
