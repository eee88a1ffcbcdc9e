"""An engine's life: booted, watched until it dies or is stopped, booted again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from engines.base import State
from engines.board import Board
from engines.breaker import Breaker
from engines.errors import EngineError
from engines.lease import Lease, Lost
from engines.rooms import Rooms
from engines.seat import Seat

_FOUND_S: Final = 1.0
"""An engine elsewhere that takes less was running already."""
_SOUND_S: Final = 10.0
"""An engine that was warm for less was not sound."""

_log = logging.getLogger(__name__)


class Life:
    """Begins and ends the lives of engines: one task for each that lives."""

    def __init__(self, board: Board, rooms: Rooms, clock: Callable[[], float], boot_deadline_s: float) -> None:
        self._board = board
        self._rooms = rooms
        self._clock = clock
        self._boot_deadline_s = boot_deadline_s
        self._ending: dict[asyncio.Task[None], bool] = {}
        """Lives whose end has begun, each with whether its engine is only left, and not stopped."""

    def begin(self, seat: Seat) -> None:
        """Begin to boot an engine that has no life."""
        seat.tell(State.BOOTING, "starting")
        seat.task = asyncio.create_task(self._live(seat), name=f"engine {seat.id}")

    async def end(self, seat: Seat, *, leave: bool) -> None:
        """Stop an engine, or only let go of it, and wait until that is done; harmless on one that has no life.

        One whose end has begun goes on with that.
        """
        task = seat.task
        if task is None or task.done():
            return
        if task not in self._ending:
            self._ending[task] = leave
            seat.tell(State.DRAINING, "stopping")
            task.cancel()
        await asyncio.wait([task])
        if self._ending.pop(task, None) is not None:
            # It was stopped before it had begun.
            seat.tell(State.COLD, "stopped")

    async def _live(self, seat: Seat) -> None:
        fault: EngineError | None = None
        told = "stopped"
        life = asyncio.current_task()
        assert life is not None
        try:
            told = await self._run(seat)
        except EngineError as error:
            fault = error
        except asyncio.CancelledError:
            # By `end`, or by a loop that is closed: what was started is stopped all the same.
            self._ending.setdefault(life, False)
        except Exception:  # noqa: BLE001
            # The border of the engine: whoever waits for this boot must not wait for ever.
            _log.exception("%s broke", seat.id)
            fault = EngineError("boot_failed", f"{seat.id} broke; the server's log has the details.")
        # From here on nobody interrupts it: half an end would leave processes behind.
        leave = self._ending.setdefault(life, True)
        try:
            await (seat.engine.leave(others=seat.warm_elsewhere) if leave else seat.engine.stop())
        except EngineError as error:
            told = error.message
            _log.warning("%s: %s", seat.id, told)
        except Exception:  # noqa: BLE001
            # The same border: what it began may still be there, and there is no more to be done about it.
            _log.exception("%s did not end well", seat.id)
        del self._ending[life]
        self._rooms.leave(seat)
        if fault is None:
            seat.tell(State.COLD, told)
        else:
            seat.error = fault
            seat.tell(State.BROKEN, fault.message)

    async def _run(self, seat: Seat) -> str:
        """Boot an engine and stay with it; boot it again when it dies by itself, but not over and over.

        What is to be said when it is to be cold: it was to be stopped, or goes cold by itself.
        """
        unsound = 0
        await self._find_room(seat)
        while True:
            await self._boot(seat)
            warm_at = self._clock()
            reason = await seat.engine.died()
            if seat.state is State.DRAINING:
                return "stopped"
            if seat.engine.traits.goes_cold:
                return reason
            fault = EngineError("engine_died", reason)
            unsound = unsound + 1 if self._clock() - warm_at < _SOUND_S else 0
            if unsound > 1:
                # It would most likely die again at once: the next request may try, but nobody tries for ever.
                raise fault
            seat.error = fault
            seat.tell(State.BOOTING, f"starting again: {reason}")
            await _whole(seat.engine.leave())

    async def _find_room(self, seat: Seat) -> None:
        try:
            async with asyncio.timeout(self._boot_deadline_s):
                await self._rooms.enter(seat)
        except TimeoutError:
            message = f"{seat.device} had no room for {seat.model} in {self._boot_deadline_s:.0f} s."
            raise EngineError("no_room", message) from None

    async def _boot(self, seat: Seat) -> None:
        seat.boots += 1
        seat.joins = False
        seat.breaker = Breaker()
        try:
            async with asyncio.timeout(self._boot_deadline_s):
                await (self._start(seat) if seat.shared is None else self._start_or_join(seat, seat.shared))
        except TimeoutError:
            raise EngineError("boot_failed", f"No token after {self._boot_deadline_s:.0f} s.") from None
        seat.error = None
        seat.tell(State.WARM, "ready")

    async def _start_or_join(self, seat: Seat, name: str) -> None:
        # Two replicas must not run its start command at once; who comes second finds it running.
        lease = Lease(self._board, name, "boot")
        while True:
            try:
                async with lease.held(lambda: seat.tell(State.BOOTING, "another replica starts it")):
                    seat.joins = lease.waited or seat.warm_elsewhere
                    await self._start(seat)
                    return
            except Lost:
                _log.warning("%s is started by another replica too, and left to it", seat.id)
                await _whole(seat.engine.leave(others=seat.warm_elsewhere))

    async def _start(self, seat: Seat) -> None:
        began = self._clock()
        await seat.engine.start(lambda stage: seat.tell(State.BOOTING, stage))
        seconds = self._clock() - began
        # One that was found running has not booted.
        if seat.shared is None or seconds >= _FOUND_S:
            seat.booted(seconds)


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Carry out what must not be left half done; who is cancelled meanwhile is so when it is done."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
