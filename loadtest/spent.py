"""What a server's engine has spent so far, by its own /metrics."""

from __future__ import annotations

import http.client
from collections import Counter
from typing import Final, NamedTuple

from loadtest.address import Address

_DEADLINE_S: Final = 10.0


class Spent(NamedTuple):
    """Runs, their seconds from call to end, and their tokens."""

    runs: float
    seconds: float
    prompt_tokens: float
    output_tokens: float

    def less(self, before: Spent) -> Spent:
        """What came since."""
        return Spent(*(now - then for now, then in zip(self, before, strict=True)))


def sums(text: str) -> Counter[str]:
    """Read Prometheus text: the samples of each metric, those of all labels added up."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name.partition("{")[0]] += float(value)  # type: ignore[assignment]
    return found


def parse(text: str) -> Spent:
    """What the engine has spent, from that text."""
    told = sums(text)
    return Spent(
        told["hearth_generation_seconds_count"],
        told["hearth_generation_seconds_sum"],
        told["hearth_prompt_tokens_total"],
        told["hearth_generated_tokens_total"],
    )


def spent(url: str) -> Spent:
    """Ask a server; it blocks. Raises OSError."""
    return parse(metrics(url))


def metrics(url: str) -> str:
    """What a server's /metrics says; it blocks. Raises OSError."""
    connection = http.client.HTTPConnection(*Address.of(url), timeout=_DEADLINE_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
