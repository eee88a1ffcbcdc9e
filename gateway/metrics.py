"""What Hearth counts about itself, under one registry of its own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from engines.base import State
from gateway.engine_metrics import EngineMetrics

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Every metric of the gateway. Counted per event of interest, never per token.

    Processes that count together name a folder, and each of them shows the sums of all. What a process counted stays
    in them when it dies. prometheus_client must have found the folder in the environment when it was imported.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self.registry = CollectorRegistry()
        on = self.registry
        self._started = Counter("hearth_generations_started", "Generations begun.", ["model", "surface"], registry=on)
        self._replayed = Counter(
            "hearth_idempotent_replays",
            "Calls answered by the generation of an earlier call with the same Idempotency-Key.",
            ["model", "surface"],
            registry=on,
        )
        self._cache = Counter(
            "hearth_cache",
            "Calls by what the cache had for them: hit, join, miss or bypass.",
            ["model", "outcome"],
            registry=on,
        )
        self._not_kept = Counter(
            "hearth_cache_rejects", "Answers that are not given again, by why.", ["model", "reason"], registry=on
        )
        self._cache_up = Gauge(
            "hearth_cache_up",
            "1 while the shared cache can be asked, 0 while each process shares by itself.",
            registry=on,
            multiprocess_mode="livemin",
        )
        self._ended = Counter(
            "hearth_generations_ended", "Generations ended, by final state.", ["model", "state"], registry=on
        )
        self._prompt = Counter("hearth_prompt_tokens", "Tokens taken in.", ["model"], registry=on)
        self._output = Counter("hearth_generated_tokens", "Tokens given out.", ["model"], registry=on)
        self._first = Histogram(
            "hearth_time_to_first_token_seconds",
            "From the call to its first token.",
            ["model"],
            buckets=_SECONDS,
            registry=on,
        )
        self._total = Histogram(
            "hearth_generation_seconds", "From the call to its end.", ["model"], buckets=_SECONDS, registry=on
        )
        self._cut = Counter("hearth_slow_reader_disconnects", "Readers cut because they stalled.", registry=on)
        self._limited = Counter("hearth_limited", "Calls refused by a limit.", ["limit"], registry=on)
        self._queued = Gauge(
            "hearth_queued",
            "Generations that wait for one of their model's slots.",
            ["model"],
            registry=on,
            multiprocess_mode="livesum",
        )
        self._waited = Histogram(
            "hearth_queue_seconds",
            "What those that had to wait have waited for a slot.",
            ["model"],
            buckets=_SECONDS,
            registry=on,
        )
        self._took_over = Counter(
            "hearth_takeovers",
            "Generations gone on with after their replica or their engine was gone.",
            ["model", "gone"],
            registry=on,
        )
        self._cost = Counter("hearth_cost", "What runs cost, in the currency of the prices.", ["model"], registry=on)
        self._saved = Counter(
            "hearth_saved", "What answers would have cost that needed no run.", ["model", "how"], registry=on
        )
        self._reserved = Gauge(
            "hearth_reserved", "What running generations hold of budgets.", registry=on, multiprocess_mode="livesum"
        )
        self._beats = Counter(
            "hearth_heartbeats",
            "Heartbeats sent to keep models warm, by whether they passed.",
            ["model", "outcome"],
            registry=on,
        )
        self._beat_seconds = Counter(
            "hearth_heartbeat_seconds", "What those heartbeats took of engines.", ["model"], registry=on
        )
        self._webhooks = Counter(
            "hearth_webhook_deliveries",
            "Tries to call a webhook: delivered, rejected (by its status), failed (no answer), refused (not called).",
            ["outcome"],
            registry=on,
        )
        self.engines = EngineMetrics(on)
        self._store = Gauge(
            "hearth_store_up",
            "1 while the store of logs is whole, 0 while it is not.",
            registry=on,
            multiprocess_mode="livemin",
        )
        self._running = Gauge(
            "hearth_running_generations", "Generations that have not ended.", registry=on, multiprocess_mode="livesum"
        )
        self._readers = Gauge("hearth_readers", "Readers that follow a log.", registry=on, multiprocess_mode="livesum")
        self._warm = Gauge(
            "hearth_model_state",
            "Processes that see the model in this state.",
            ["model", "state"],
            registry=on,
            multiprocess_mode="livesum",
        )

    def started(self, model: str, surface: str) -> None:
        self._started.labels(model, surface).inc()

    def replayed(self, model: str, surface: str) -> None:
        self._replayed.labels(model, surface).inc()

    def cache(self, model: str, outcome: str) -> None:
        self._cache.labels(model, outcome.lower()).inc()

    def answer_not_kept(self, model: str, reason: str) -> None:
        self._not_kept.labels(model, reason).inc()

    def first_token(self, model: str, seconds: float) -> None:
        self._first.labels(model).observe(seconds)

    def ended(self, model: str, state: str, prompt_tokens: int, tokens: int, seconds: float) -> None:
        self._ended.labels(model, state).inc()
        self._prompt.labels(model).inc(prompt_tokens)
        self._output.labels(model).inc(tokens)
        self._total.labels(model).observe(seconds)

    def beat(self, model: str, seconds: float, *, passed: bool) -> None:
        self._beats.labels(model, "passed" if passed else "failed").inc()
        self._beat_seconds.labels(model).inc(seconds)

    def took_over(self, model: str, gone: str) -> None:
        self._took_over.labels(model, gone).inc()

    def limited(self, limit: str) -> None:
        self._limited.labels(limit).inc()

    def queued(self, model: str, count: int) -> None:
        self._queued.labels(model).set(count)

    def waited(self, model: str, seconds: float) -> None:
        self._waited.labels(model).observe(seconds)

    def webhook(self, outcome: str) -> None:
        self._webhooks.labels(outcome).inc()

    def slow_reader_cut(self) -> None:
        self._cut.inc()

    def cost(self, model: str, amount: float) -> None:
        self._cost.labels(model).inc(amount)

    def saved(self, model: str, how: str, amount: float) -> None:
        self._saved.labels(model, how).inc(amount)

    def reserved(self, amount: float) -> None:
        self._reserved.set(amount)

    def show(self, *, running: int, readers: int, states: Mapping[str, str], store: bool, cache: bool) -> None:
        """Set the gauges; they are given by whoever knows them."""
        self._running.set(running)
        self._readers.set(readers)
        self._store.set(store)
        self._cache_up.set(cache)
        for model, now in states.items():
            for state in State:
                self._warm.labels(model, state).set(state == now)

    def render(self) -> bytes:
        """Everything as Prometheus text."""
        if self._folder is None:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)
