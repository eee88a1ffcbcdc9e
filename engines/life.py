"""An engine's life: booted, watched until it dies or is stopped, booted again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from engines.base import State
from engines.board import Board
from engines.errors import EngineError
from engines.lease import Lease
from engines.seat import Seat

_SOUND_S: Final = 10.0
"""An engine that was warm for less was not sound."""

_log = logging.getLogger(__name__)


class Life:
    """Begins and ends the lives of engines: one task for each that lives."""

    def __init__(self, board: Board, clock: Callable[[], float], boot_deadline_s: float) -> None:
        self._board = board
        self._clock = clock
        self._boot_deadline_s = boot_deadline_s
        self._left: set[Seat] = set()
        """Engines that are let go of here, and not stopped."""

    def begin(self, seat: Seat) -> None:
        """Begin to boot an engine that has no life."""
        seat.tell(State.BOOTING, "starting")
        seat.task = asyncio.create_task(self._live(seat), name=f"engine {seat.id}")

    async def end(self, seat: Seat, *, leave: bool) -> None:
        """Stop an engine, or only let go of it, and wait until that is done; harmless on one that has no life."""
        task, seat.task = seat.task, None
        if task is None or task.done():
            return
        if leave:
            self._left.add(seat)
        seat.tell(State.DRAINING, "stopping")
        task.cancel()
        await asyncio.wait([task])
        self._left.discard(seat)
        if seat.state is State.DRAINING:
            # It was stopped before it had begun.
            seat.tell(State.COLD, "stopped")

    async def _live(self, seat: Seat) -> None:
        """Boot an engine and stay with it; boot it again when it dies by itself, but not over and over."""
        unsound = 0
        try:
            while True:
                await self._boot(seat)
                warm_at = self._clock()
                reason = await seat.engine.died()
                seat.error = EngineError("engine_died", reason)
                if seat.engine.traits.goes_cold:
                    await seat.engine.leave()
                    seat.tell(State.COLD, reason)
                    return
                unsound = unsound + 1 if self._clock() - warm_at < _SOUND_S else 0
                if unsound > 1:
                    # It would most likely die again at once: the next request may try, but nobody tries for ever.
                    raise seat.error
                seat.tell(State.BOOTING, f"starting again: {reason}")
                await seat.engine.leave()
        except EngineError as error:
            await self._break(seat, error)
        except Exception:  # noqa: BLE001
            # The border of the engine: whoever waits for this boot must not wait for ever.
            _log.exception("%s broke", seat.id)
            await self._break(seat, EngineError("boot_failed", f"{seat.id} broke; the server's log has the details."))
        except asyncio.CancelledError:
            await (seat.engine.leave() if seat in self._left else seat.engine.stop())
            seat.tell(State.COLD, "stopped")
            raise

    async def _break(self, seat: Seat, error: EngineError) -> None:
        seat.error = error
        try:
            await seat.engine.leave()
        finally:
            seat.tell(State.BROKEN, error.message)

    async def _boot(self, seat: Seat) -> None:
        began = self._clock()
        seat.boots += 1
        try:
            async with asyncio.timeout(self._boot_deadline_s):
                if seat.shared is None:
                    await self._start(seat)
                else:
                    # Two replicas must not run its start command at once; who comes second finds it running.
                    lease = Lease(self._board, seat.shared, "boot")
                    async with lease.held(lambda: seat.tell(State.BOOTING, "another replica starts it")):
                        began = self._clock() if lease.waited else began
                        await self._start(seat)
        except TimeoutError:
            raise EngineError("boot_failed", f"No token after {self._boot_deadline_s:.0f} s.") from None
        seat.booted(self._clock() - began)
        seat.error = None
        seat.breaker.succeeded()
        seat.tell(State.WARM, "ready")

    async def _start(self, seat: Seat) -> None:
        await seat.engine.start(lambda stage: seat.tell(State.BOOTING, stage))
