"""A deploy: the replica that everybody reads from goes down, and all of them come back to the other one."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import uvloop

from loadtest.address import Address
from loadtest.crowd.fleet import Fleet, fleet
from loadtest.crowd.hops import warnings
from loadtest.crowd.plan import Crowd
from loadtest.crowd.reader import Reader, all_of, errors, gathered
from loadtest.crowd.trail import Newest, caught_up, silence
from loadtest.report import Spread, plain, table

_SETTLE_S: Final = 0.5
_AGAIN_S: Final = 0.25
"""How long a reader waits that was refused."""
_LATE_S: Final = 60.0
"""How long coming back may take, and the answers after their planned end."""


@dataclass(frozen=True, slots=True)
class Storm:
    """What one storm measured; times count from when each reader asked again.

    `caught_up` is until it had what the foremost reader of its log had. `silence` is between the last event before and
    the first one after. `whole` are the readers that saw every event once, to the end.
    """

    crowd: Crowd
    patient: bool
    """Whether readers waited as long as the server had asked them to."""
    within: float
    """Seconds in which all came back."""
    answered: Spread
    caught_up: Spread
    never: int
    silence: Spread
    whole: int
    requests: int
    """Connections that were made to come back."""
    client_share: float
    errors: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain values; what could not be measured is null."""
        return {name: plain(value) for name, value in asdict(self).items()}

    @property
    def failed(self) -> bool:
        """Some reader did not see everything, once."""
        return self.whole < self.crowd.readers or self.never > 0

    def text(self) -> str:
        """Return the figures for people."""
        rows = [
            [name, *(f"{value:.0f}" for value in (spread.p50, spread.p90, spread.p99, spread.most))]
            for name, spread in (("answered", self.answered), ("caught up", self.caught_up), ("silence", self.silence))
        ]
        manner = "as the server asked" if self.patient else "at once"
        lines = [
            f"{self.crowd.readers} readers of {self.crowd.logs} logs come back {manner}, within {self.within:.2f} s",
            "",
            table(["", "p50 ms", "p90 ms", "p99 ms", "most ms"], rows),
            "",
            f"whole {self.whole} of {self.crowd.readers}; never caught up {self.never}; asked {self.requests} times;"
            f" errors {dict(self.errors) or 0}; client {self.client_share:.0%} of a core",
        ]
        return "\n".join([*lines, *warnings(self.client_share)])


def storm(crowd: Crowd, patient: bool, logs: Path) -> Storm:
    """Start a fleet, take its first replica down, and end it. The servers' logs stay in a folder in that one.

    Raises ServerError.
    """
    folder = logs / ("patient" if patient else "at-once")
    folder.mkdir(parents=True, exist_ok=True)
    with fleet(crowd, folder) as running:
        return uvloop.run(_Storm(crowd, patient, running).run())


class _Returning(Reader):
    """Reads at one replica until it is sent away, and at another one to the end."""

    asked = math.nan
    """When it came back."""
    requests = 0

    async def live(self, old: Address, new: Address, patient: bool) -> None:
        await self.follow(old)
        if self.ended:
            return
        if patient:
            await asyncio.sleep(self.retry_s)
        self.asked = perf_counter()
        while not self.ended:
            self.requests += 1
            await self.follow(new)
            if not self.ended:
                await asyncio.sleep(_AGAIN_S)

    @property
    def back(self) -> bool:
        """Whether something new has come since."""
        return bool(self.trail.times) and self.trail.times[-1] > self.asked


class _Storm:
    def __init__(self, crowd: Crowd, patient: bool, running: Fleet) -> None:
        self._crowd = crowd
        self._patient = patient
        self._running = running
        self._readers: list[_Returning] = []

    async def run(self) -> Storm:
        seconds = self._crowd.seconds
        old, new = Address.of(self._running.writer.url), Address.of(self._running.reader.url)
        ids = self._running.begin(self._crowd.logs, self._crowd.tokens(seconds))
        self._readers = [_Returning(ids[number % len(ids)]) for number in range(self._crowd.readers)]
        async with gathered(self._readers, lambda reader: reader.live(old, new, self._patient)) as tasks:
            await asyncio.sleep(_SETTLE_S)
            share = await self._strike()
            await asyncio.wait(tasks, timeout=seconds + _LATE_S)
        return self._figures(share)

    async def _strike(self) -> float:
        """Take the replica down; the share of a core that we used until everybody was back."""
        own, began = time.process_time(), perf_counter()
        os.kill(self._running.writer.pid, signal.SIGTERM)
        await all_of(self._readers, lambda reader: reader.back or reader.ended, _LATE_S)
        return (time.process_time() - own) / (perf_counter() - began)

    def _figures(self, share: float) -> Storm:
        readers = self._readers
        newest = _newest(readers)
        returned = [reader for reader in readers if not math.isnan(reader.asked)]
        asked = [reader.asked for reader in returned]
        caught = [caught_up(reader.trail, reader.heads, reader.asked, newest[reader.id]) for reader in returned]
        answered = [next((head for head in reader.heads if head >= reader.asked), math.nan) for reader in returned]
        quiet = [silence(reader.trail, reader.asked) for reader in returned]
        return Storm(
            crowd=self._crowd,
            patient=self._patient,
            within=max(asked, default=math.nan) - min(asked, default=math.nan),
            answered=_since(asked, answered),
            caught_up=_since(asked, caught),
            never=len(readers) - len(returned) + sum(map(math.isnan, caught)),
            silence=Spread.of(each for each in quiet if not math.isnan(each)),
            whole=sum(reader.ended and not reader.errors.keys() & {"lost", "doubled"} for reader in readers),
            requests=sum(reader.requests for reader in readers),
            client_share=share,
            errors=errors(readers),
        )


def _newest(readers: Sequence[Reader]) -> dict[str, Newest]:
    ids = dict.fromkeys(reader.id for reader in readers)
    return {id: Newest(reader.trail for reader in readers if reader.id == id) for id in ids}


def _since(asked: Sequence[float], times: Sequence[float]) -> Spread:
    return Spread.of(time - ask for ask, time in zip(asked, times, strict=True) if not math.isnan(time))
