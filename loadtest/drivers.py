"""Making the load that was planned, or one client process' share of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final, NamedTuple

from loadtest.address import Address
from loadtest.arrivals import MOST_STREAMS, Closed
from loadtest.connection import Connection
from loadtest.outcome import Outcome
from loadtest.plan import Plan
from loadtest.progress import Progress
from loadtest.record import Record
from loadtest.surfaces.base import Talk
from loadtest.surfaces.table import talk

_TELL_S: Final = 1.0


class Share(NamedTuple):
    """Which of several client processes this one is."""

    client: int = 0
    clients: int = 1


ALONE: Final = Share()


class Driver:
    """Carries out one plan, or a share of it. `begun` is the moment of perf_counter that all times count from."""

    def __init__(self, plan: Plan, address: Address, share: Share = ALONE, begun: float | None = None) -> None:
        self._plan = plan
        self._address = address
        self._share = share
        self._begun = perf_counter() if begun is None else begun
        self._open = 0
        self.record = Record(plan.objective)

    async def run(self, tell: Callable[[Progress], None] | None = None) -> Record:
        """Return what was seen of every request that was sent; those unfinished at the plan's end are given up."""
        teller = asyncio.create_task(self._tell(tell)) if tell else None
        try:
            async with asyncio.timeout(self._plan.seconds):
                await asyncio.sleep(self._begun - perf_counter())
                await self._load()
        except TimeoutError:
            pass
        finally:
            if teller is not None:
                teller.cancel()
                await asyncio.gather(teller, return_exceptions=True)
        return self.record

    async def _load(self) -> None:
        arrivals = self._plan.arrivals
        if not isinstance(arrivals, Closed):
            await self._open_loop()
            return
        numbers = self._plan.numbers(*self._share)
        streams = arrivals.share(*self._share).streams
        async with asyncio.TaskGroup() as group:
            for _ in range(min(streams, self._plan.requests)):
                group.create_task(self._one_after_another(numbers, arrivals.think_s))

    async def _one_after_another(self, numbers: Iterator[int], think_s: float) -> None:
        lasting = self._plan.lasting
        for number in numbers:
            if lasting is not None and self._now() >= lasting:
                return
            await self._ask(number, perf_counter())
            if think_s:
                await asyncio.sleep(think_s)

    async def _open_loop(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number, at in self._plan.due(*self._share):
                await asyncio.sleep(self._begun + at - perf_counter())
                # Measured from when it was due: a server that is late for one must not look fast for the next.
                group.create_task(self._ask(number, self._begun + at))

    async def _ask(self, number: int, due: float) -> None:
        self.record.started(self._now())
        if self._open >= MOST_STREAMS:
            self.record.ended(Outcome(error="too_many_open"), self._now())
            return
        self._open += 1
        asked = talk(self._plan, self._address, number)
        try:
            await self._carry_out(asked, due)
        except OSError as error:
            asked.outcome.error = type(error).__name__
        except asyncio.CancelledError:
            asked.outcome.error = asked.outcome.error or "out_of_time"
            raise
        finally:
            self._open -= 1
            asked.outcome.total = perf_counter() - due
            self.record.ended(asked.outcome, self._now())

    async def _carry_out(self, asked: Talk, due: float) -> None:
        asked.outcome.sent = perf_counter() - due
        while (question := asked.question()) is not None:
            connection = Connection(asked, question, due, self.record, self._begun)
            if (room := asked.harm.cut_after) is not None and not asked.outcome.cuts:
                connection.room = max(1, room - asked.outcome.bytes)
            await self._live(connection, asked)

    async def _live(self, connection: Connection, asked: Talk) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: connection, *self._address)
        try:
            await connection.done
        finally:
            if asked.ended:
                transport.close()
            else:
                transport.abort()

    async def _tell(self, tell: Callable[[Progress], None]) -> None:
        while True:
            await asyncio.sleep(_TELL_S)
            said = sum(second.tokens for second in self.record.seconds.values())
            tell(Progress(self._open, self.record.requests, said, self.record.errors.total()))

    def _now(self) -> float:
        return max(0.0, perf_counter() - self._begun)
