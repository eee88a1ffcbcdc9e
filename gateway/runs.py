"""Every run of this process: begun here, or gone on with after another replica."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import Final

from gateway.admission import FREE, NEVER_BEGAN, Admission
from gateway.errors import HearthError
from gateway.events import Opened
from gateway.generation import Generation
from gateway.keys import Key
from gateway.log.base import Retention, Writer
from gateway.log.local import Log
from gateway.log.memory import MemoryLogs
from gateway.runner import Parts, Runner, Source
from gateway.silence import Limits

_PAUSE_S: Final = 1.0
"""After a failure to take what others left, before the next try."""

_log = logging.getLogger(__name__)


class Runs:
    """Owns the runners. At most `most` of them at once."""

    def __init__(self, parts: Parts, most: int) -> None:
        self._parts = parts
        self._most = most
        self._runners: dict[str, Runner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._passing = MemoryLogs(parts.clock.steady, Retention(ended_s=0, remembered_s=0, log_bytes=sys.maxsize))
        """Logs that nobody finds by their id: each is for one caller, who follows another run, which is bounded."""
        self._adopting: asyncio.Task[None] | None = None
        self.closing = False
        """Whether new runs are refused because the server is going down."""

    def __len__(self) -> int:
        return len(self._runners)

    @property
    def _asking(self) -> int:
        """How many ask an engine, as far as is known when they begin."""
        return sum(not runner.follows for runner in self._runners.values())

    async def sweep(self) -> None:
        """Let go of logs that have served; called every second."""
        await self._passing.sweep()

    def get(self, id: str) -> Runner | None:
        """The runner of that generation, if it runs here."""
        return self._runners.get(id)

    @property
    def generations(self) -> Sequence[Generation]:
        """What runs here."""
        return [runner.generation for runner in self._runners.values()]

    async def begin(self, generation: Generation, key: Key) -> tuple[Log, Admission]:
        """Begin a run on an engine. Raises HearthError `draining`, `overloaded`, and as `Gate.admit`."""
        if self.closing:
            raise HearthError("draining")
        if self._asking >= self._most:
            raise HearthError("overloaded")
        admission = await self._parts.gate.admit(generation, key)
        try:
            writer = await self._parts.logs.create(generation, _opened(generation))
        except BaseException:
            await admission.close(NEVER_BEGAN)
            raise
        self._parts.metrics.started(generation.model, generation.surface)
        self._parts.pool.came(generation.model)
        self.run(writer, admission)
        return writer.log, admission

    async def copy(self, generation: Generation, source: Source, *, lasting: bool) -> Log:
        """Begin a run of what the source says. One that is not `lasting` is for a caller of this process alone.

        Raises HearthError `draining`.
        """
        parts = self._parts if lasting else self._parts._replace(logs=self._passing)
        try:
            if self.closing:
                raise HearthError("draining")
            writer = await parts.logs.create(generation, _opened(generation))
        except BaseException:
            source.close()
            raise
        if lasting:
            self._parts.metrics.started(generation.model, generation.surface)
        self.run(writer, FREE, source=source, parts=parts, counted=lasting)
        return writer.log

    def run(
        self,
        writer: Writer,
        admission: Admission,
        *,
        source: Source | None = None,
        inherited: bool = False,
        parts: Parts | None = None,
        counted: bool = True,
    ) -> None:
        """Have a log written to its end."""
        id = writer.log.generation.id
        runner = Runner(writer, parts or self._parts, admission, source=source, inherited=inherited, counted=counted)
        self._runners[id] = runner
        task = self._tasks[id] = runner.start()
        task.add_done_callback(lambda task: self._forget(id))

    def adopt(self) -> None:
        """Begin to go on with what other replicas leave behind."""
        self._adopting = asyncio.create_task(self._adopt_orphans(), name="adopt orphans")

    async def stop(self, id: str) -> None:
        """End a run that is one of ours as canceled, and wait until that is written."""
        self._runners[id].stop("caller")
        await asyncio.wait([self._tasks[id]])

    def check(self, now: float, limits: Limits) -> None:
        """Let no run wait for longer than that (steady clock)."""
        for runner in list(self._runners.values()):
            runner.check(now, limits)

    async def settle(self, seconds: float) -> None:
        """Begin no more, and let what runs end within that time."""
        self.closing = True
        if self._adopting is not None:
            self._adopting.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=seconds)

    async def part(self) -> None:
        """Hand what still runs over to another replica, or stop it where there is none."""
        for runner in list(self._runners.values()):
            runner.part()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    def _forget(self, id: str) -> None:
        del self._runners[id], self._tasks[id]

    async def _adopt_orphans(self) -> None:
        while True:
            try:
                for writer in await self._parts.logs.orphans(self._parts.pool.models):
                    generation = writer.log.generation
                    _log.info("%s is gone on with here", generation.id)
                    self.run(writer, await self._parts.gate.inherit(generation), inherited=True)
            except Exception:  # noqa: BLE001
                # It must outlive whatever one round of it meets.
                _log.exception("orphans could not be taken")
                await asyncio.sleep(_PAUSE_S)


def _opened(generation: Generation) -> Opened:
    return Opened(generation.id, generation.model, generation.created)
