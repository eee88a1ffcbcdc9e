"""One run: drive a plan against a server and measure both."""

from __future__ import annotations

import time

import uvloop

from loadtest import processes
from loadtest.drivers import Address, Driver
from loadtest.plan import Plan
from loadtest.report import Figures, Load
from loadtest.stream import Outcome


def run(plan: Plan, url: str, pid: int | None, behind: int | None = None) -> Figures:
    """Return what the plan measured at a server, with its processes' use when its pid is known.

    `behind` is the process of the server that it relays to, if it does.
    """
    address = Address.of(url)
    before = processes.look(pid, behind) if pid else {}
    begun, own, busy = time.perf_counter(), time.process_time(), processes.busy()
    outcomes = uvloop.run(_drive(plan, address))
    seconds, own, busy = time.perf_counter() - begun, time.process_time() - own, processes.busy() - busy
    after = processes.look(pid, behind) if pid else {}
    return Figures.of(outcomes, seconds, Load(own, busy), processes.used(before, after))


async def _drive(plan: Plan, address: Address) -> list[Outcome]:
    return await Driver(plan, address).run()
