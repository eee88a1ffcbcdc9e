"""What one run came to. No I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from loadtest.histogram import Histogram
from loadtest.processes import Process
from loadtest.record import Objective, Record, Second

_CLIENT_LIMIT: Final = 0.85
_OTHERS_LIMIT: Final = 0.1
_LATE_S: Final = 0.005


class Load(NamedTuple):
    """Seconds of CPU that each client process used, and that the whole machine was busy."""

    clients: Sequence[float]
    machine: float


@dataclass(frozen=True, slots=True)
class Goodput:
    """Answers that kept an objective: which, their share of all requests that were let be, and how many a second."""

    objective: Objective
    share: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured. Tokens are what the server's usage counts, or the events where it gave none.

    Histograms are in seconds. Shares are of one core: `client_share` is that of all client processes together,
    `client_limit` that of the busiest of them, `others_share` that of whatever else runs here. `us_per_frame` is the
    CPU of all of the server's processes for an event that says something.
    """

    requests: int
    errors: dict[str, int]
    purpose: dict[str, int]
    """Of the requests, what was done to them on purpose, which is no error: `canceled`, `cut`, `resumed`."""
    seconds: float
    tokens: int
    tokens_per_second: float
    events: int
    events_per_request: float
    bytes: int
    goodput: Goodput | None
    first: Histogram
    gap: Histogram
    total: Histogram
    sent: Histogram
    """How long after it was due each request was sent: the load generator's own lag."""
    clients: list[float]
    client_share: float
    client_limit: float
    others_share: float
    front_us_per_token: float
    total_us_per_token: float
    us_per_frame: float
    megabytes: float
    processes: list[Process]
    warnings: list[str]
    series: list[Second]

    @classmethod
    def of(cls, record: Record, seconds: float, load: Load, processes: Sequence[Process] = ()) -> Figures:
        """Return the figures of what was recorded, and of what the server's processes used for it."""
        front = sum(process.cpu_seconds for process in processes if process.front)
        every = sum(process.cpu_seconds for process in processes)
        own = sum(load.clients)
        clients = [used / seconds for used in load.clients]
        others = max(0.0, load.machine - own - every) / seconds if processes else math.nan
        tokens = record.tokens if processes else 0
        return cls(
            requests=record.requests,
            errors=dict(record.errors),
            purpose={name: count for name, count in record.purpose.items() if count},
            seconds=seconds,
            tokens=record.tokens,
            tokens_per_second=record.tokens / seconds,
            events=record.events,
            events_per_request=_ratio(record.answered_events, record.answered),
            bytes=record.bytes,
            goodput=_goodput(record, seconds),
            first=record.first,
            gap=record.gap,
            total=record.total,
            sent=record.sent,
            clients=clients,
            client_share=own / seconds,
            client_limit=max(clients, default=0.0),
            others_share=others,
            front_us_per_token=_ratio(front * 1e6, tokens),
            total_us_per_token=_ratio(every * 1e6, tokens),
            us_per_frame=_ratio(every * 1e6, record.events if processes else 0),
            megabytes=sum(process.megabytes for process in processes),
            processes=list(processes),
            warnings=_warnings(clients, others, record),
            series=record.series(),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain values; what could not be measured is null."""
        told: dict[str, Any] = orjson.loads(orjson.dumps(self, default=Histogram.as_json))
        return told

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Figures:
        """Return the figures that as_json told; what else is there is passed over. Raises msgspec.ValidationError."""
        known = {field.name: told.get(field.name) for field in fields(cls)}
        unmeasured = {
            field.name: math.nan for field in fields(cls) if field.type == "float" and known[field.name] is None
        }
        return msgspec.convert(known | unmeasured, cls, dec_hook=lambda _, value: Histogram.from_json(value))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _goodput(record: Record, seconds: float) -> Goodput | None:
    if record.objective is None:
        return None
    meant = record.answered + sum(record.errors.values())
    return Goodput(record.objective, _ratio(record.within, meant), record.within / seconds)


def _warnings(clients: Sequence[float], others: float, record: Record) -> list[str]:
    """Return what makes the figures say less than they seem to."""
    warnings = []
    if (busiest := max(clients, default=0.0)) > _CLIENT_LIMIT:
        warnings.append(
            "The load generator was the bottleneck: "
            f"its busiest process used {busiest * 100:.0f} % of a core; use --clients."
        )
    if others > _OTHERS_LIMIT:
        warnings.append(f"Other programs used {others * 100:.0f} % of a core: measure on a quiet machine.")
    if (late := record.sent.at(99)) > _LATE_S:
        warnings.append(
            f"The load generator was late: one request in a hundred was sent {late * 1000:.0f} ms after it was due."
        )
    return warnings
