"""One turn of load: the same question over and over, on connections that stay."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import uvloop

from loadtest import processes
from loadtest.address import Address
from loadtest.exchange import Answer, Exchange
from loadtest.report import Spread

_GRACE_S = 10.0


class Timed(Answer, Protocol):
    """An answer that says when it began, and whether it is what was wanted."""

    first: float | None

    @property
    def good(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked: where, with which bytes, by which process, and what its answers are read with."""

    name: str
    address: Address
    question: bytes
    answer: Callable[[], Timed]
    pid: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn measured. `cpu_us` is what the server's processes used for an answer."""

    answers: int
    wrong: int
    first: Spread
    per_second: float
    cpu_us: float
    client_share: float

    @property
    def per_core(self) -> float:
        """Answers a second that the server would give with a core that is always busy; NaN if its use was not seen."""
        return 1e6 / self.cpu_us if self.cpu_us else math.nan


def turn(target: Target, streams: int, seconds: float) -> Turn:
    """Ask for so long, so many at a time. Raises OSError, TimeoutError."""
    before, own, begun = processes.look(target.pid), time.process_time(), perf_counter()
    firsts, wrong = uvloop.run(_load(target, streams, seconds))
    took, own = perf_counter() - begun, time.process_time() - own
    used = sum(each.cpu_seconds for each in processes.used(before, processes.look(target.pid)))
    answers = max(1, len(firsts))
    return Turn(len(firsts), wrong, Spread.of(firsts), len(firsts) / took, used / answers * 1e6, own / took)


async def _load(target: Target, streams: int, seconds: float) -> tuple[list[float], int]:
    firsts: list[float] = []
    wrong = 0
    until = perf_counter() + seconds

    async def ask_on() -> None:
        nonlocal wrong
        exchange = await Exchange.open(target.address)
        try:
            while perf_counter() < until:
                answer = target.answer()
                await exchange.ask(target.question, answer)
                firsts.append(answer.first or 0.0)
                wrong += not answer.good
        finally:
            exchange.close()

    async with asyncio.timeout(seconds + _GRACE_S), asyncio.TaskGroup() as group:
        for _ in range(streams):
            group.create_task(ask_on())
    return firsts, wrong
