"""One host for the engines of several processes: what their supervisor and they say, and both sides of it.

The supervisor's engines own the hosts. A worker's engine asks for a model; when it is warm, its host is told to connect
to the worker's socket as well. What is generated goes from host to worker, and never through the supervisor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Final

import msgspec

from engines.base import Report, State
from engines.errors import Code, EngineError
from engines.pool import Pool
from engines.seat import Seat
from engines.vllm.engine import VllmEngine
from engines.vllm.link import Link

_HOLD_S: Final = 10.0
"""A model that broke is not booted for so long: every worker who had it asks for it again."""


class Want(msgspec.Struct, frozen=True, array_like=True, tag="want"):
    """Have the model's host connect to the socket at this path. `call` names the ask in its answers."""

    call: int
    model: str
    path: str


class Part(msgspec.Struct, frozen=True, array_like=True, tag="part"):
    """This worker wants the model no longer."""

    model: str


class Stage(msgspec.Struct, frozen=True, array_like=True, tag="stage"):
    """A stage of the boot that the call waits for."""

    call: int
    text: str


class Met(msgspec.Struct, frozen=True, array_like=True, tag="met"):
    """The host has connected."""

    call: int


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """There will be no host for this call."""

    call: int
    code: Code
    message: str


class Warm(msgspec.Struct, frozen=True, array_like=True, tag="warm"):
    """The model is up: whoever thinks it cold or broken may have it."""

    model: str


ToSupervisor = Want | Part
ToWorker = Stage | Met | Refused | Warm


class Asker:
    """The worker's side: its engines' calls, and the answers to them."""

    def __init__(self, say: Callable[[ToSupervisor], None]) -> None:
        self.say = say
        self._calls: dict[int, tuple[Report, asyncio.Future[None]]] = {}
        self._count = 0

    def hosting(self, model: str) -> SharedHost:
        """The way to a host for the engine of that name."""
        return SharedHost(model, self)

    async def want(self, model: str, path: str, report: Report) -> None:
        """Wait until the model's host has connected to that path. Raises EngineError."""
        self._count += 1
        call = self._count
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._calls[call] = report, answered
        try:
            self.say(Want(call, model, path))
            await answered
        finally:
            del self._calls[call]

    def hear(self, message: Stage | Met | Refused) -> None:
        """Take an answer; one that nobody waits for any more is dropped."""
        report, answered = self._calls.get(message.call, (None, None))
        if report is None or answered is None or answered.done():
            return
        match message:
            case Stage():
                report(message.text)
            case Met():
                answered.set_result(None)
            case Refused():
                answered.set_exception(EngineError(message.code, message.message))


class SharedHost:
    """A host that the supervisor keeps for all workers: to part from it takes it from nobody else."""

    def __init__(self, model: str, asker: Asker) -> None:
        self.pid: int | None = None
        self._model = model
        self._asker = asker

    async def call(self, path: str, link: Link, report: Report) -> None:
        report("asking for the engine")
        await self._asker.want(self._model, path, report)

    async def part(self, link: Link) -> None:
        # A host that died is being replaced for whoever had it: that is no reason to give the model up.
        if not link.died.done():
            self._asker.say(Part(self._model))

    async def close(self) -> None: ...


class Broker:
    """The supervisor's side: boots a model when the first worker wants it, and stops it when none does.

    A worker is a number, which its successor takes over with all that it wanted.
    """

    def __init__(self, pool: Pool, engines: Mapping[str, VllmEngine], clock: Callable[[], float]) -> None:
        self._pool = pool
        self._engines = engines
        self._clock = clock
        self._wanted: dict[str, set[int]] = {model: set() for model in engines}
        self._broken_at: dict[str, float] = {}
        self._cooling = {model: asyncio.Lock() for model in engines}
        self._workers: dict[int, Callable[[ToWorker], None]] = {}
        self._tasks: dict[asyncio.Task[None], int | None] = {}

    def begin(self) -> None:
        """Watch the models."""
        for model, seat in self._pool.seats.items():
            self._spawn(self._watch(model, seat), None)

    async def close(self) -> None:
        """Answer nobody any more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def came(self, worker: int, say: Callable[[ToWorker], None]) -> None:
        """A worker is there, and is told things so."""
        self._workers[worker] = say

    def gone(self, worker: int) -> None:
        """A worker has ended, and asks nothing any more. What it wanted stays."""
        self._workers.pop(worker, None)
        for task, whose in self._tasks.items():
            if whose == worker:
                task.cancel()

    def hear(self, worker: int, message: ToSupervisor) -> None:
        """Take what a worker says."""
        match message:
            case Want():
                self._wanted[message.model].add(worker)
                self._spawn(self._answer(message, self._workers[worker]), worker)
            case Part():
                self._wanted[message.model].discard(worker)
                self._spawn(self._cool(message.model), None)

    async def _answer(self, want: Want, say: Callable[[ToWorker], None]) -> None:
        try:
            await self._bring(want, say)
        except EngineError as error:
            say(Refused(want.call, error.code, error.message))
        else:
            say(Met(want.call))

    async def _bring(self, want: Want, say: Callable[[ToWorker], None]) -> None:
        seat, engine = self._pool.seats[want.model], self._engines[want.model]
        async with self._cooling[want.model]:
            if seat.state is State.BROKEN and self._clock() - self._broken_at.get(want.model, -_HOLD_S) < _HOLD_S:
                raise seat.error or EngineError("boot_failed", seat.stage)
        while True:
            async for stage in self._pool.reach(want.model):
                say(Stage(want.call, stage))
            changed = seat.changed
            if await engine.invite(want.path):
                return
            # The host died. When the pool has seen that as well, there is another to wait for, or an error.
            await changed.wait()

    async def _cool(self, model: str) -> None:
        async with self._cooling[model]:
            if not self._wanted[model]:
                await self._pool.cool(model)

    async def _watch(self, model: str, seat: Seat) -> None:
        before = seat.state
        while True:
            await seat.change()
            now = seat.state
            if now is State.BROKEN:
                self._broken_at[model] = self._clock()
            if now is State.WARM and before is not State.WARM:
                for say in self._workers.values():
                    say(Warm(model))
            before = now

    def _spawn(self, work: Coroutine[None, None, None], worker: int | None) -> None:
        task = asyncio.create_task(work, name="broker")
        self._tasks[task] = worker
        task.add_done_callback(self._tasks.pop)
