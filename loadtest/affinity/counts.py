"""What vLLM itself counts of one model's engines, as Hearth's /metrics tells it."""

from __future__ import annotations

import http.client
import re
from collections import Counter
from typing import Final, NamedTuple

from loadtest.address import Address

_DEADLINE_S: Final = 10.0
_SAMPLE: Final = re.compile(r"vllm:(\w+)\{(.*)\} (\S+)")
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


class Counts(NamedTuple):
    """Tokens that were looked for in the prefix caches, tokens that were found, and requests by engine."""

    queries: float
    hits: float
    served: Counter[str]

    def less(self, before: Counts) -> Counts:
        """What came since."""
        return Counts(self.queries - before.queries, self.hits - before.hits, self.served - before.served)


def parse(text: str, model: str) -> Counts:
    """Read Prometheus text."""
    sums: Counter[str] = Counter()
    served: Counter[str] = Counter()
    for line in text.splitlines():
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            continue
        name, labels, value = sample[1], dict(_LABEL.findall(sample[2])), round(float(sample[3]))
        if labels.get("model_name") != model:
            continue
        sums[name] += value
        if name == "request_success_total":
            served[labels.get("place", model)] += value
    return Counts(sums["prefix_cache_queries_total"], sums["prefix_cache_hits_total"], served)


def counts(address: Address, model: str) -> Counts:
    """Ask a server; it blocks. Raises OSError."""
    connection = http.client.HTTPConnection(*address, timeout=_DEADLINE_S)
    try:
        connection.request("GET", "/metrics")
        return parse(connection.getresponse().read().decode(), model)
    finally:
        connection.close()
