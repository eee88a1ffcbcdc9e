"""Two hundred runs of one key on two replicas, which end as they like while their money is watched."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from gateway.admission import Outcome
from gateway.errors import HearthError
from gateway.events import Canceled, Failed, Finished, Terminal, Timings, Usage
from gateway.generation import State
from gateway.money.base import Books
from gateway.money.gate import MoneyGate
from gateway.money.prices import NANO
from tests.gateway.money.contract import NOON
from tests.gateway.money.paying import a_gate, a_key, a_run
from tests.turning import Turned

RUNS = 200
LIMIT = 6.0


class Beat:
    """What the runs step to."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    async def wait(self) -> None:
        """Until the next one."""
        await self._next.wait()

    def strike(self) -> None:
        """Let everybody take one step."""
        self._next.set()
        self._next = asyncio.Event()


async def crowd(stores: Sequence[Books], clock: Turned) -> None:
    """Fails when spent and reserved ever pass the limit, or when anything stays reserved, unpaid or uncounted."""
    gates = [a_gate(books, clock) for books in stores]
    chance, beat, closings = Random(7), Beat(), list[asyncio.Task[None]]()
    running = [asyncio.create_task(_one(gates[n % 2], Random(n), clock, beat, closings)) for n in range(RUNS)]
    most = 0
    while not all(task.done() for task in running):
        spent, reserved = await stores[0].balance("k", "month", NOON)
        assert spent + reserved <= LIMIT * NANO
        most = max(most, spent + reserved)
        for gate in gates:
            await gate.tick()
        if chance.random() < 0.5:
            chance.choice(running).cancel()
        clock.turn(0.5)
        beat.strike()
        await asyncio.sleep(0)
    told = [None if task.cancelled() else task.exception() for task in running]
    refused = [error for error in told if isinstance(error, HearthError)]
    assert all(error is None or error in refused for error in told)
    await asyncio.gather(*closings)
    for gate in gates:
        await gate.tick()
    lines = await stores[1].usage("2000-01-01", "2100-01-01")
    spent, reserved = await stores[1].balance("k", "month", NOON)
    assert reserved == 0
    assert 0 < spent == sum(line.use.cost for line in lines) <= LIMIT * NANO
    assert not any(line.use.unpaid for line in lines)
    # Every kind of end was met, and the limit too: else nothing was tested.
    assert refused
    assert {line.outcome for line in lines} == {"finished", "canceled:caller", "failed:budget_exceeded"}
    assert most > 0.95 * LIMIT * NANO


async def _one(gate: MoneyGate, chance: Random, clock: Turned, beat: Beat, closings: list[asyncio.Task[None]]) -> None:
    for _ in range(chance.randint(0, 100)):
        await beat.wait()
    run = a_run(chance.choice(["tokens", "seconds"]), 300)
    bill = await gate.admit(run, a_key(LIMIT))
    stopped = list[HearthError]()
    bill.on_stop = stopped.append
    began, tokens = clock.now, 0
    run.state = State.RUNNING
    terminal: Terminal | None = None
    try:
        for _ in range(chance.randint(1, 200)):
            await beat.wait()
            tokens += chance.randint(0, 2)
            if stopped:
                terminal = Failed("budget_exceeded", "", None, Usage(10, tokens), Timings())
                return
        terminal = Finished("stop", Usage(10, tokens), Timings())
    finally:
        terminal = terminal or Canceled("caller", Usage(10, tokens), Timings())
        closings.append(asyncio.create_task(bill.close(Outcome(terminal, clock.now - began))))
