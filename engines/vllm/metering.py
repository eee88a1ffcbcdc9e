"""vLLM's figure for each token, gathered in numbers of our own until somebody asks for the metrics.

Every figure that Prometheus' client takes costs it a lock, and the gap before a token is one for each token.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import prometheus_client
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.metrics.loggers import PrometheusStatLogger


class Metering:
    """Stands in for vLLM's histogram of gaps. One for each engine."""

    def __init__(self, engine: AsyncLLM) -> None:
        self._gathered: list[Gathered] = []
        for logger in engine.logger_manager.stat_loggers if engine.logger_manager else ():
            if isinstance(logger, PrometheusStatLogger):
                histograms: dict[int, Any] = logger.histogram_inter_token_latency
                for index, histogram in histograms.items():
                    histograms[index] = gathered = Gathered(histogram)
                    self._gathered.append(gathered)

    def text(self) -> str:
        """All metrics of this process as Prometheus text."""
        for gathered in self._gathered:
            gathered.give()
        return prometheus_client.generate_latest().decode()


class Gathered:
    """Observes as a Histogram does; `give` hands over what it has observed since."""

    def __init__(self, histogram: Any) -> None:
        self._histogram = histogram
        self._bounds: list[float] = histogram._upper_bounds
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def observe(self, amount: float) -> None:
        self._counts[bisect_left(self._bounds, amount)] += 1
        self._sum += amount

    def give(self) -> None:
        counts, self._counts = self._counts, [0] * len(self._bounds)
        added, self._sum = self._sum, 0.0
        self._histogram._sum.inc(added)
        for bucket, count in zip(self._histogram._buckets, counts, strict=True):
            bucket.inc(count)
