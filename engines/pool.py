"""The engines behind model names: booted when needed, watched while they run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

from engines.base import Engine, State
from engines.errors import EngineError
from engines.outlook import Outlook, outlook

_SOUND_S: Final = 10.0
"""An engine that was warm for less was not sound."""
_NOTICE_S: Final = 5.0
"""How long it may take to see that an engine is dead after it was said to be."""

_log = logging.getLogger(__name__)


class Seat:
    """One model name: its engine, how warm that is, and what it is doing about it."""

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self.engine = engine
        self.state = State.COLD
        self.stage = "waiting for the first request"
        self.error: EngineError | None = None
        self.boots = 0
        """How often it was booted."""
        self.boot_seconds: float | None = None
        """How long the last boot took."""
        self.boot_began: float | None = None
        """When the boot that is under way began; None while none is."""
        self.task: asyncio.Task[None] | None = None
        """Boots the engine, then watches over it until it dies or is stopped."""
        self._changed = asyncio.Event()

    def tell(self, state: State, stage: str) -> None:
        """Note a change and wake whoever waits for one."""
        self.state, self.stage = state, stage
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change; another one is for the change after it."""
        return self._changed

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()


class Pool:
    """All engines of this server by model name. Owns their boots and their watches."""

    def __init__(
        self, engines: Mapping[str, Engine], clock: Callable[[], float], boot_deadline_s: float = 900.0
    ) -> None:
        self.seats: Mapping[str, Seat] = {name: Seat(name, engine) for name, engine in engines.items()}
        self._clock = clock
        self._boot_deadline_s = boot_deadline_s
        self._closing = False

    def warm(self, model: str) -> None:
        """Begin to boot a model that is cold or broken; harmless otherwise. Returns at once."""
        seat = self.seats[model]
        if not self._closing and (seat.task is None or seat.task.done()):
            seat.tell(State.BOOTING, "starting")
            seat.task = asyncio.create_task(self._live(seat), name=f"engine {model}")

    def outlook(self, model: str) -> Outlook:
        """When the model will likely be warm."""
        seat = self.seats[model]
        passed_s = 0.0 if seat.boot_began is None else self._clock() - seat.boot_began
        return outlook(seat.state, seat.boot_seconds, passed_s)

    async def cool(self, model: str) -> None:
        """Stop a model's engine and wait until it is gone."""
        seat = self.seats[model]
        task, seat.task = seat.task, None
        if task is None or task.done():
            return
        seat.tell(State.DRAINING, "stopping")
        task.cancel()
        await asyncio.wait([task])

    async def reach(self, model: str, dead: int | None = None) -> AsyncGenerator[str]:
        """Wait until the model is warm, booting it if it is cold; yields the stage at once and whenever it changes.

        Whoever has seen an engine die names that boot of it: it may be taken for warm a moment longer.

        Raises EngineError `boot_failed` when this boot fails or takes too long.
        """
        seat = self.seats[model]
        self.warm(model)
        deadline = asyncio.get_running_loop().time() + self._boot_deadline_s
        while seat.state is not State.WARM or seat.boots == dead:
            if seat.state not in (State.BOOTING, State.WARM):
                raise seat.error or EngineError("boot_failed", f"{model} was stopped before it was warm.")
            # Taken before the stage is told: the change may come while the listener is busy with it.
            changed = seat.changed
            stale = seat.state is State.WARM
            if not stale:
                yield seat.stage
            try:
                async with asyncio.timeout(_NOTICE_S) if stale else asyncio.timeout_at(deadline):
                    await changed.wait()
            except TimeoutError:
                if stale:
                    raise EngineError("engine_died", f"{model} answers no more, and does not end either.") from None
                raise EngineError("boot_failed", f"{model} was not warm after {self._boot_deadline_s:.0f} s.") from None

    async def close(self) -> None:
        """Stop every engine and wait until all are gone."""
        self._closing = True
        await asyncio.gather(*(self.cool(model) for model in self.seats))
        await asyncio.gather(*(seat.engine.close() for seat in self.seats.values()))

    async def _live(self, seat: Seat) -> None:
        """Boot an engine and stay with it; boot it again when it dies by itself, but not over and over."""
        unsound = 0
        try:
            while True:
                await self._boot(seat)
                warm_at = self._clock()
                reason = await seat.engine.died()
                seat.error = EngineError("engine_died", reason)
                unsound = unsound + 1 if self._clock() - warm_at < _SOUND_S else 0
                if unsound > 1:
                    # It would most likely die again at once: the next request may try, but nobody tries for ever.
                    raise seat.error
                seat.tell(State.BOOTING, f"starting again: {reason}")
                await seat.engine.stop()
        except EngineError as error:
            await self._break(seat, error)
        except Exception:  # noqa: BLE001
            # The border of the engine: whoever waits for this boot must not wait for ever.
            _log.exception("%s broke", seat.name)
            await self._break(seat, EngineError("boot_failed", f"{seat.name} broke; the server's log has the details."))
        except asyncio.CancelledError:
            await seat.engine.stop()
            seat.tell(State.COLD, "stopped")
            raise

    async def _break(self, seat: Seat, error: EngineError) -> None:
        seat.error = error
        try:
            await seat.engine.stop()
        finally:
            seat.tell(State.BROKEN, error.message)

    async def _boot(self, seat: Seat) -> None:
        seat.boot_began = began = self._clock()
        seat.boots += 1
        try:
            async with asyncio.timeout(self._boot_deadline_s):
                await seat.engine.start(lambda stage: seat.tell(State.BOOTING, stage))
        except TimeoutError:
            raise EngineError("boot_failed", f"No token after {self._boot_deadline_s:.0f} s.") from None
        finally:
            seat.boot_began = None
        seat.boot_seconds = self._clock() - began
        seat.error = None
        seat.tell(State.WARM, "ready")
