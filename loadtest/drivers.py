"""Making the load: one connection for each request, one small protocol object on it, nothing else in the way."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from loadtest.plan import MOST_STREAMS, Plan, PlanError
from loadtest.record import Record
from loadtest.stream import Meter, Outcome


class Address(NamedTuple):
    """Where the load goes: this machine, and no other."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Address:
        """Return the address of a URL such as http://127.0.0.1:8000."""
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        if parts.scheme != "http" or not _is_loopback(host):
            raise PlanError(f"{url!r} is not this machine: a load test loads http://127.0.0.1:PORT and nothing else")
        return cls(host, parts.port or 80)

    def request(self, body: bytes) -> bytes:
        """Return the bytes that ask for a chat completion."""
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {self.host}:{self.port}\r\naccept: text/event-stream\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Stream(asyncio.Protocol):
    """One request from its connection to its end."""

    def __init__(self, request: bytes, due: float, done: asyncio.Future[Outcome]) -> None:
        self._request = request
        self._due = due
        self._done = done
        self._meter = Meter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._meter.feed(data, perf_counter() - self._due)
        if self._meter.ended:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(lost=exc is not None)

    def give_up(self, error: str) -> Outcome:
        """Return what there is of an answer nobody waits for any more."""
        self._meter.outcome.error = error
        return self._meter.close(perf_counter() - self._due)

    def _end(self, lost: bool = False) -> None:
        if not self._done.done():
            self._done.set_result(self._meter.close(perf_counter() - self._due, lost))


class Driver:
    """Carries out one plan."""

    def __init__(self, plan: Plan, address: Address) -> None:
        self._plan = plan
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._open = 0
        self._begun = perf_counter()
        self.record = Record()

    async def run(self) -> Record:
        """Return what was seen of every request that was sent; those unfinished at the plan's end are given up."""
        try:
            async with asyncio.timeout(self._plan.seconds):
                await (self._closed_loop() if self._plan.rate is None else self._open_loop())
        except TimeoutError:
            pass
        return self.record

    async def _closed_loop(self) -> None:
        numbers = iter(range(self._plan.requests))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._plan.streams, self._plan.requests)):
                group.create_task(self._one_after_another(numbers))

    async def _one_after_another(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self._ask(number, perf_counter())

    async def _open_loop(self) -> None:
        begun = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number, offset in enumerate(self._plan.arrivals()):
                await asyncio.sleep(begun + offset - perf_counter())
                # Measured from when it was due: a server that is late for one must not look fast for the next.
                group.create_task(self._ask(number, begun + offset))

    async def _ask(self, number: int, due: float) -> None:
        self.record.started(self._now())
        if self._open >= MOST_STREAMS:
            self._ended(Outcome(error="too_many_open"))
            return
        self._open += 1
        try:
            self._ended(await self._answered(number, due))
        finally:
            self._open -= 1

    def _ended(self, outcome: Outcome) -> None:
        self.record.ended(outcome, self._now())

    def _now(self) -> float:
        return perf_counter() - self._begun

    async def _answered(self, number: int, due: float) -> Outcome:
        done: asyncio.Future[Outcome] = self._loop.create_future()
        request = self._address.request(self._plan.shape.body(number))
        stream = _Stream(request, due, done)
        try:
            transport, _ = await self._loop.create_connection(lambda: stream, *self._address)
        except OSError as error:
            return stream.give_up(type(error).__name__)
        try:
            return await done
        except asyncio.CancelledError:
            self._ended(stream.give_up("out_of_time"))
            raise
        finally:
            transport.abort()
