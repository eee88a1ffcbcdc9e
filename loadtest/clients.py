"""The client processes that share one load: this one alone, or several beside it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final, NamedTuple

import uvloop

from loadtest.address import Address
from loadtest.drivers import ALONE, Driver, Share
from loadtest.plan import Plan
from loadtest.progress import Progress, total
from loadtest.record import Record

_START_S: Final = 60.0
_LEAD_S: Final = 0.05
_GRACE_S: Final = 30.0
_STOP_S: Final = 5.0

Tell = Callable[[Progress], None]


class ClientError(RuntimeError):
    """A client process that did not do its share."""


class Done(NamedTuple):
    """What a client process saw, and the seconds of CPU that it used for it."""

    record: Record
    cpu_seconds: float


Go = Callable[[Plan, Tell | None], list[Done]]
"""Carries a plan out, and returns when every client process is done. Raises ClientError."""


@contextmanager
def ready(address: Address, clients: int) -> Iterator[Go]:
    """Start so many client processes, and end them whatever happens. Raises ClientError."""
    if clients == 1:
        yield lambda plan, tell: [_drive(plan, address, ALONE, time.perf_counter(), tell)]
        return
    with _started(address, clients) as pipes:
        for pipe in pipes:
            _received(pipe, time.monotonic() + _START_S)
        yield lambda plan, tell: _together(pipes, plan, tell)


def _drive(plan: Plan, address: Address, share: Share, begun: float, tell: Tell | None) -> Done:
    own = time.process_time()
    record = uvloop.run(_driven(plan, address, share, begun, tell))
    return Done(record, time.process_time() - own)


async def _driven(plan: Plan, address: Address, share: Share, begun: float, tell: Tell | None) -> Record:
    return await Driver(plan, address, share, begun).run(tell)


@contextmanager
def _started(address: Address, clients: int) -> Iterator[list[Connection]]:
    context = multiprocessing.get_context("spawn")
    processes: list[SpawnProcess] = []
    pipes: list[Connection] = []
    try:
        for client in range(clients):
            ours, theirs = context.Pipe()
            process = context.Process(target=_live, args=(theirs, address, Share(client, clients)), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            pipes.append(ours)
        yield pipes
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(_STOP_S)
            process.kill()
            process.join()


def _live(pipe: Connection, address: Address, share: Share) -> None:
    """Be a client process: say that it is there, hear of the plan and the moment, drive, tell."""
    pipe.send(None)
    plan, begun = pipe.recv()
    pipe.send(_drive(plan, address, share, begun, pipe.send))


def _together(pipes: Sequence[Connection], plan: Plan, tell: Tell | None) -> list[Done]:
    # They begin at one moment, by a clock that all processes of a machine share.
    begun = time.perf_counter() + _LEAD_S
    try:
        for pipe in pipes:
            pipe.send((plan, begun))
    except OSError:
        raise ClientError("a client process died") from None
    until = time.monotonic() + plan.seconds + _GRACE_S
    done: dict[Connection, Done] = {}
    news: dict[Connection, Progress] = {}
    fresh: set[Connection] = set()
    while waiting := [pipe for pipe in pipes if pipe not in done]:
        if not wait(waiting, max(0.0, until - time.monotonic())):
            raise ClientError("a client process did not end in time")
        for pipe in waiting:
            while pipe not in done and pipe.poll():
                said = _received(pipe, until)
                if isinstance(said, Done):
                    done[pipe] = said
                elif isinstance(said, Progress):
                    news[pipe] = said
                    fresh.add(pipe)
        if tell and fresh and fresh >= {pipe for pipe in waiting if pipe not in done}:
            tell(total(news.values()))
            fresh.clear()
    return [done[pipe] for pipe in pipes]


def _received(pipe: Connection, until: float) -> object:
    if not pipe.poll(max(0.0, until - time.monotonic())):
        raise ClientError("a client process did not answer in time")
    try:
        return pipe.recv()
    except (EOFError, OSError):
        raise ClientError("a client process died") from None
