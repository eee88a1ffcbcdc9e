"""Calls as a gateway makes them of a LimitGate."""

from __future__ import annotations

from itertools import count
from typing import Any

from engines.base import JSON, Prompt
from gateway.admission import Admission, Outcome
from gateway.events import Finished, Timings, Usage
from gateway.generation import Generation
from gateway.keys import Key
from gateway.limits.base import Limiter
from gateway.limits.gate import KeyLimits, LimitGate, ModelLimits
from gateway.metrics import Metrics
from tests.turning import Turned

NO_LIMITS = KeyLimits()
_numbers = count()


def a_gate(
    limiter: Limiter, clock: Turned, defaults: KeyLimits = NO_LIMITS, context: int | None = None, **model: int
) -> LimitGate:
    """One whose model `demo` has these limits."""
    return LimitGate(limiter, defaults, {"demo": ModelLimits(**model)}, lambda model: context, clock, Metrics())


def a_key(name: str = "ann", **limits: Any) -> Key:
    return Key(id=name, name=name, namespace=name, **limits)


def a_generation(key: str = "ann", **parameters: JSON) -> Generation:
    """Of a prompt that is held to have 10 tokens."""
    prompt = Prompt(texts=("x" * 36,), parameters=parameters)
    return Generation(id=f"gen_{next(_numbers)}", owner=key, model="demo", prompt=prompt, created=0.0, key=key)


def used(tokens: int) -> Outcome:
    return Outcome(Finished("stop", Usage(10, tokens - 10), Timings()), 1.0)


async def waiting(run: Admission) -> list[str]:
    """What it waited for until its turn came."""
    return [said async for said in run.turn()]
