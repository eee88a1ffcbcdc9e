"""A caller's wait for a model: which of its engines may be asked now, and what is hoped for while none may."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Final

from engines.base import State
from engines.errors import EngineError
from engines.model import Model
from engines.seat import Seat

_PROBE_S: Final = 10.0
"""How long callers wait for the one who finds out whether an engine is well again."""

Avoid = Mapping[Seat, int]
"""Engines that failed a caller, each with its boot that did: that one is not asked again."""


def able(model: Model, avoid: Avoid) -> list[Seat]:
    """The engines that may be asked now."""
    return [
        seat
        for seat in model.seats
        if seat.state is State.WARM and avoid.get(seat) != seat.boots and not seat.wait_s and not seat.is_barred
    ]


class Waiting:
    """One caller's wait for a model."""

    def __init__(self, model: Model, avoid: Avoid) -> None:
        self.model = model
        self._avoid = avoid
        self._seen: set[Seat] = set()
        """Engines whose boot was waited for."""
        self.is_probing = False
        """Whether it is another caller's probe that is waited for."""
        self._probed_by: float | None = None

    def ready(self) -> bool:
        """Whether an engine may be asked."""
        return bool(able(self.model, self._avoid))

    def hopeful(self) -> bool:
        """Whether one may become ready by itself."""
        booting = [seat for seat in self.model.seats if seat.state is State.BOOTING]
        self._seen.update(booting)
        self.is_probing = not booting and any(seat.is_probed for seat in self._left_alone)
        return (
            bool(booting)
            or self.is_probing
            or any(seat.state is State.DRAINING for seat in self.model.seats if seat not in self._seen)
        )

    @property
    def stage(self) -> str:
        """What is waited for."""
        return "an engine that failed is tried again" if self.is_probing else self.model.stage

    def until(self, deadline: float) -> float:
        """How long to wait for that, where a boot may take until a deadline (the loop's time)."""
        if not self.is_probing:
            return deadline
        self._probed_by = self._probed_by or asyncio.get_running_loop().time() + _PROBE_S
        return min(deadline, self._probed_by)

    @property
    def _left_alone(self) -> list[Seat]:
        warm = [seat for seat in self.model.seats if seat.state is State.WARM]
        return [seat for seat in warm if self._avoid.get(seat) != seat.boots]

    def next(self) -> Seat | None:
        """The one to boot: cold before broken, the quickest first.

        None whose boot was waited for in vain, nor one that somebody had stopped under this very caller.
        """
        passed = self._seen | self._stopped
        resting = [seat for seat in self.model.seats if not (seat.lives or seat.is_barred or seat in passed)]
        return min(resting, key=lambda seat: (seat.state is State.BROKEN, seat.boot_estimate_s or 0.0), default=None)

    @property
    def _stopped(self) -> set[Seat]:
        return {seat for seat in self._avoid if seat.cooled_at}

    def check(self) -> None:
        """Raises EngineError when there is nothing to wait for but that a dead engine is seen to be dead."""
        warm = [seat for seat in self.model.seats if seat.state is State.WARM]
        if self._left_alone:
            raise _left_alone(self.model.name, min(self._left_alone, key=lambda seat: seat.wait_s))
        fault = next((seat.error for seat in self.model.seats if seat in self._seen and seat.error), None)
        if self._stopped and not warm:
            raise EngineError("engine_died", f"{self.model.name} was stopped while it answered.")
        if fault or not warm:
            raise fault or EngineError("boot_failed", f"{self.model.name} was stopped before it was warm.")


def _left_alone(model: str, seat: Seat) -> EngineError:
    seconds = math.ceil(seat.wait_s)
    if seat.breaker.busy:
        told = f"{model} has as much to do as it takes, and asked to be left alone for {seconds} s."
        return EngineError("engine_busy", told, retry_after_s=seat.wait_s)
    told = f"{model} has failed again and again, and is left alone for {seconds} s."
    return EngineError("engine_unreachable", told, retry_after_s=seat.wait_s)
