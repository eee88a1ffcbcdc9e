"""What Hearth counts about engines and their warmth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from engines.seat import Seat

_BOOT_SECONDS: Final = (0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900)


class EngineMetrics:
    """Part of Metrics. An engine is named by its model, and a number where there are several behind it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        engine = ["model", "engine"]
        self._since = Gauge(
            "hearth_engine_since_seconds",
            "Since when the engine is in its state, in unix seconds.",
            engine,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._outstanding = Gauge(
            "hearth_engine_outstanding_tokens",
            "Tokens that the engine owes to callers, as far as they can be guessed.",
            engine,
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._alarm = Gauge(
            "hearth_engine_alarm",
            "1 while the engine fails its heartbeats or, where it is to be warm, its boots.",
            engine,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._breaker = Gauge(
            "hearth_engine_breaker_open",
            "Processes that keep calls from the engine because it failed again and again.",
            engine,
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._boots = Counter("hearth_boots", "Boots, by how they ended.", ["model", "outcome"], registry=registry)
        self._boot_seconds = Histogram(
            "hearth_boot_seconds", "How long boots took.", ["model"], buckets=_BOOT_SECONDS, registry=registry
        )
        self._waited = Histogram(
            "hearth_cold_wait_seconds",
            "How long calls waited that met no warm engine.",
            ["model"],
            buckets=_BOOT_SECONDS,
            registry=registry,
        )
        self._fallbacks = Counter(
            "hearth_fallbacks", "Calls that another model answered.", ["model", "fallback"], registry=registry
        )
        self._sent_away = Counter("hearth_cold_refusals", "Calls refused as model_cold.", ["model"], registry=registry)
        self._counted: dict[Seat, tuple[int, int]] = {}

    def waited(self, model: str, seconds: float) -> None:
        self._waited.labels(model).observe(seconds)

    def fell_back(self, model: str, fallback: str) -> None:
        self._fallbacks.labels(model, fallback).inc()

    def sent_away(self, model: str) -> None:
        self._sent_away.labels(model).inc()

    def show(self, seats: Iterable[Seat]) -> None:
        """Set the gauges, and count the boots that ended since; called every second."""
        for seat in seats:
            name = seat.model, seat.id
            self._since.labels(*name).set(seat.since)
            self._outstanding.labels(*name).set(seat.owed)
            self._alarm.labels(*name).set(seat.alarm is not None)
            self._breaker.labels(*name).set(seat.breaker.is_open)
            done, broken = self._counted.get(seat, (0, 0))
            self._boots.labels(seat.model, "warm").inc(seat.boots_done - done)
            self._boots.labels(seat.model, "broken").inc(seat.breaks - broken)
            if seat.boots_done > done and seat.boot_seconds is not None:
                self._boot_seconds.labels(seat.model).observe(seat.boot_seconds)
            self._counted[seat] = seat.boots_done, seat.breaks
