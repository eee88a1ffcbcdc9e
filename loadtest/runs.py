"""One run: drive a plan against a server and measure both."""

from __future__ import annotations

import time

import uvloop

from loadtest import processes
from loadtest.drivers import Address, Driver
from loadtest.figures import Figures, Load
from loadtest.plan import Plan
from loadtest.record import Record


def run(plan: Plan, url: str, pid: int | None) -> Figures:
    """Return what the plan measured at a server, with its processes' use when its pid is known."""
    address = Address.of(url)
    before = processes.look(pid) if pid else {}
    begun, own, busy = time.perf_counter(), time.process_time(), processes.busy()
    record = uvloop.run(_drive(plan, address))
    seconds, own, busy = time.perf_counter() - begun, time.process_time() - own, processes.busy() - busy
    after = processes.look(pid) if pid else {}
    return Figures.of(record, seconds, Load([own], busy), processes.used(before, after))


async def _drive(plan: Plan, address: Address) -> Record:
    return await Driver(plan, address).run()
