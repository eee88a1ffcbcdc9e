"""What a hop through Redis adds: readers on one replica of logs that another one writes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import uvloop

from loadtest import processes
from loadtest.address import Address
from loadtest.crowd.fleet import Fleet, fleet
from loadtest.crowd.plan import Crowd
from loadtest.crowd.reader import Reader, errors, gathered
from loadtest.crowd.trail import Trail, delays
from loadtest.report import Spread, plain, table

_FLOOR_EVERY: Final = 5
"""One log in so many has a second reader beside its writer, which tells how exact the measure is."""
_JOIN_S: Final = 60.0
"""How long joining may take."""
_SETTLE_S: Final = 1.0
_LATE_S: Final = 1.0
"""What has not arrived so long after the end is missing."""
BUSY: Final = 0.7
"""The share of a core above which the load generator is no longer believed."""


@dataclass(frozen=True, slots=True)
class Hops:
    """What one run measured. Bytes and commands are Redis's, for each token; `cpu` is seconds for 1,000 tokens.

    `hop` is how much later than beside its writer an event arrives at a reader elsewhere; `floor` is what the same
    measure says of two readers beside the writer, whichever was first. `events_per_read` is 1 where the replica that
    reads keeps up.
    """

    crowd: Crowd
    tokens: int
    tokens_per_second: float
    hop: Spread
    hops: int
    missing: int
    floor: Spread
    events_per_read: float
    commands: Mapping[str, float]
    bytes_in: float
    bytes_out: float
    cpu: Mapping[str, float]
    shares: Mapping[str, float]
    """Of one core each: writer, reader, redis, client, others."""
    kilobytes_per_reader: float
    errors: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain values; what could not be measured is null."""
        return {name: plain(value) for name, value in asdict(self).items()}

    @property
    def failed(self) -> bool:
        """Some reader missed something, or was refused."""
        return bool(self.missing or self.errors or not self.hops)

    def text(self) -> str:
        """Return the figures for people."""
        head = ["", "p50 ms", "p90 ms", "p99 ms", "most ms", "events"]
        rows = [["hop", *_times(self.hop), str(self.hops)], ["floor", *_times(self.floor), ""]]
        commands = ", ".join(f"{name} {count:.2f}" for name, count in self.commands.items())
        lines = [
            f"{self.crowd.readers} readers of {self.crowd.logs} logs, {self.tokens_per_second:.0f} tokens/s for"
            f" {self.crowd.seconds:g} s ({self.crowd.tokens_per_second:.0f} planned)",
            "",
            table(head, rows),
            "",
            f"missing {self.missing}; events in a read {self.events_per_read:.2f}; errors {dict(self.errors) or 0}",
            f"Redis, per token: {commands}; {self.bytes_in:.0f} bytes in, {self.bytes_out:.0f} out",
            "CPU seconds per 1,000 tokens: " + ", ".join(f"{name} {used:.3f}" for name, used in self.cpu.items()),
            "shares of a core: " + ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items()),
            f"memory of the replica that reads: {self.kilobytes_per_reader:.0f} KB for each reader, logs included",
        ]
        return "\n".join([*lines, *warnings(self.shares["client"])])


def hops(crowd: Crowd, logs: Path) -> Hops:
    """Start a fleet, measure, and end it; the servers' logs are left in that folder. Raises ServerError."""
    logs.mkdir(parents=True, exist_ok=True)
    with fleet(crowd, logs) as running:
        ids = running.begin(crowd.logs, crowd.tokens(crowd.seconds + _JOIN_S + _SETTLE_S + _LATE_S))
        return uvloop.run(_measure(crowd, running, ids))


async def _measure(crowd: Crowd, running: Fleet, ids: Sequence[str]) -> Hops:
    beside = [Reader(id) for id in ids]
    second = [Reader(id) for id in ids[::_FLOOR_EVERY]]
    elsewhere = [Reader(ids[number % len(ids)]) for number in range(crowd.readers)]
    megabytes = running.reader_megabytes()
    here, there = Address.of(running.writer.url), Address.of(running.reader.url)
    async with (
        gathered([*beside, *second], lambda reader: reader.follow(here)),
        gathered(elsewhere, lambda reader: reader.follow(there)),
    ):
        await asyncio.sleep(_SETTLE_S)
        before, own, busy, begin = running.use(), time.process_time(), processes.busy(), perf_counter()
        await asyncio.sleep(crowd.seconds)
        end, own, busy, after = perf_counter(), time.process_time() - own, processes.busy() - busy, running.use()
        megabytes = running.reader_megabytes() - megabytes
        await asyncio.sleep(_LATE_S)
    trails = {reader.id: reader.trail for reader in beside}
    late = list(_late(trails, elsewhere, begin, end))
    tokens = sum(len(trail.between(begin, end)) for trail in trails.values())
    reads = sum(reader.trail.reads(begin, end) for reader in elsewhere)
    spent = {name: after.cpu[name] - before.cpu[name] for name in after.cpu}
    traffic, seconds = after.redis.less(before.redis), end - begin
    return Hops(
        crowd=crowd,
        tokens=tokens,
        tokens_per_second=tokens / seconds,
        hop=Spread.of(delay for delay in late if not math.isnan(delay)),
        hops=len(late),
        missing=sum(map(math.isnan, late)),
        floor=Spread.of(abs(delay) for delay in _late(trails, second, begin, end) if not math.isnan(delay)),
        events_per_read=sum(len(reader.trail.between(begin, end)) for reader in elsewhere) / max(1, reads),
        commands={name: count / max(1, tokens) for name, count in traffic.commands.items()},
        bytes_in=traffic.bytes_in / max(1, tokens),
        bytes_out=traffic.bytes_out / max(1, tokens),
        cpu={name: used / max(1, tokens) * 1000 for name, used in spent.items()},
        shares={
            **{name: used / seconds for name, used in spent.items()},
            "client": own / seconds,
            "others": max(0.0, busy - own - sum(spent.values())) / seconds,
        },
        kilobytes_per_reader=megabytes * 1024 / crowd.readers,
        errors=errors([*beside, *second, *elsewhere]),
    )


def warnings(share: float) -> Iterator[str]:
    """Say so if the load generator was so busy that it measured itself."""
    if share > BUSY:
        yield f"WARNING: the load generator used {share:.0%} of a core: the times are partly its own"


def _late(trails: Mapping[str, Trail], readers: Sequence[Reader], begin: float, end: float) -> Iterator[float]:
    for reader in readers:
        yield from delays(trails[reader.id], reader.trail, begin, end)


def _times(spread: Spread) -> list[str]:
    return [f"{value:.2f}" for value in (spread.p50, spread.p90, spread.p99, spread.most)]
