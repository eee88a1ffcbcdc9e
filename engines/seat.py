"""One engine behind a model name: how warm it is, what it is doing about it, and what it owes."""

from __future__ import annotations

import asyncio
import math
import statistics
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from engines.base import Engine, State
from engines.board import Sighting
from engines.breaker import Breaker
from engines.errors import FAULTS, EngineError
from engines.outlook import Outlook, outlook
from engines.signs import Signs, Trouble
from engines.states import check

_BOOTS_KEPT: Final = 10
_JOIN_S: Final = 1.0
"""How long it takes to ask an engine that another replica has brought up."""


class Place(NamedTuple):
    """An engine, and what it is called."""

    id: str
    """Its name in this process: that of its model, and a number where there are several."""
    model: str
    engine: Engine
    shared: str | None = None
    """Its name among all replicas, where it is not this process' own."""
    device: str | None = None
    """What it runs on, where that has not room for every engine."""


class Seat:
    """An engine's place in the pool. `clock` gives steady seconds, `wall` unix seconds."""

    def __init__(self, place: Place, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self.id, self.model, self.engine, self.shared, self.device = place
        self.name = self.id
        self._clock = clock
        self._wall = wall
        self.state = State.COLD
        self.since = wall()
        """Since when it is in this state (unix seconds)."""
        self.stage = "waiting for the first request"
        self.error: EngineError | None = None
        self.boots = 0
        """How often it was booted."""
        self.boot_times: deque[float] = deque(maxlen=_BOOTS_KEPT)
        """How long its last boots took, the newest last; those of other processes' too, where they are remembered."""
        self.boot_seconds: float | None = None
        """How long the last boot of this process took."""
        self._booting_since = 0.0
        self.task: asyncio.Task[None] | None = None
        """Boots the engine, then watches over it until it dies or is stopped."""
        self.breaker = Breaker()
        self.heard_at = -math.inf
        """When it last gave anything to a caller (steady seconds)."""
        self.asked_at = -math.inf
        """When it was last asked for anything (steady seconds)."""
        self.tokens = 0
        """How many it has given."""
        self.tokens_per_s = 0.0
        """What it gave lately."""
        self.beat_at = 0.0
        """When it last passed a heartbeat (unix seconds); 0 for never."""
        self.beats = 0
        """How many heartbeats it was sent."""
        self.beat_s = 0.0
        """How long they have taken in all."""
        self.alarm: str | None = None
        """Why its heartbeats fail; None while they do not."""
        self.trouble = Trouble()
        """What failed of late, in any replica, as far as this one knows."""
        self.next: tuple[float, str] = (math.inf, "")
        """When its keeper will next do something to it (unix seconds), and what."""
        self.stopped_at = 0.0
        """When it was last stopped on purpose, here (unix seconds); 0 for never."""
        self.boots_done = 0
        """How many of its boots went well."""
        self.held = 0
        """How many calls hold it."""
        self.owed = 0
        """Tokens that it owes to callers of this process, as far as they can be guessed."""
        self.elsewhere: Mapping[str, Sighting] = {}
        """What other replicas know of it, where it is shared."""
        self.signs = Signs()
        """What they told of its life."""
        self.alone = True
        """Whether no other engine is behind its model name."""
        self._changed = asyncio.Event()
        self.on_change: Callable[[], None] = lambda: None

    def tell(self, state: State, stage: str) -> None:
        """Note a change and wake whoever waits for one. Raises ValueError when there is no such move."""
        if check(self.state, state) is not self.state:
            self.since = self._wall()
            if state is State.BOOTING:
                self._booting_since = self._clock()
        self.state, self.stage = state, stage
        self._changed.set()
        self.alone = True
        """Whether no other engine is behind its model name."""
        self._changed = asyncio.Event()
        self.on_change()

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change; another one is for the change after it."""
        return self._changed

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    @property
    def lives(self) -> bool:
        """Whether something boots it, runs it, or stops it."""
        return self.task is not None and not self.task.done()

    def booted(self, seconds: float) -> None:
        """Note how long a boot took."""
        self.boot_seconds = seconds
        self.boots_done += 1
        self.boot_times.append(seconds)

    def remember(self, boots: Sequence[float]) -> None:
        """Take over what was remembered of earlier boots."""
        self.boot_times = deque([*boots, *self.boot_times], maxlen=_BOOTS_KEPT)

    @property
    def boot_estimate_s(self) -> float | None:
        """How long a boot takes; None while none was seen."""
        return statistics.median(self.boot_times) if self.boot_times else None

    @property
    def outlook(self) -> Outlook:
        """When it will likely be warm, if it is booted now or is booting."""
        if self.state is State.COLD and any(each.state is State.WARM for each in self.elsewhere.values()):
            return Outlook(self.state, _JOIN_S)
        return outlook(self.state, self.boot_estimate_s, self._clock() - self._booting_since)

    @property
    def outstanding(self) -> int:
        """Tokens that it owes to the callers of all replicas."""
        return self.owed + sum(each.outstanding for each in self.elsewhere.values())

    @property
    def busy_elsewhere(self) -> bool:
        """Whether other replicas' callers wait for it."""
        return any(each.running for each in self.elsewhere.values())

    @contextmanager
    def holding(self, tokens: int) -> Iterator[None]:
        """Owe a caller about so many tokens; an engine that is held is not stopped if that can wait."""
        self.held += 1
        self.owed += tokens
        self.asked_at = self._clock()
        self.breaker.begin(self.asked_at)
        boot = self.boots
        try:
            yield
        except EngineError as error:
            # What an earlier boot of it did is no fault of this one.
            if self.boots == boot:
                self._judge(error)
            raise
        finally:
            self.breaker.spared()
            self.held -= 1
            self.owed -= tokens
            if not self.held and self.state is State.DRAINING:
                self.tell(self.state, self.stage)

    def heard(self, now: float, tokens: int) -> None:
        """It gave a caller something (steady seconds)."""
        self.heard_at = now
        self.tokens += tokens
        if self.breaker.failures:
            self.breaker.succeeded()

    def _judge(self, error: EngineError) -> None:
        """Count what failed. Where no other engine can be asked, a failure that may be the prompt's does not count."""
        if error.code in FAULTS and not (self.alone and error.code == "engine_failed"):
            self.breaker.failed(self._clock(), error.retry_after_s if error.code == "engine_busy" else None)

    @property
    def last_heard(self) -> float:
        """When it last gave anything to a caller, of any replica (unix seconds); 0 for never."""
        return max(self._unix(self.heard_at), self.signs.heard_at)

    @property
    def last_asked(self) -> float:
        """When a caller of any replica last asked it for anything, or was given something (unix seconds)."""
        return max(self.last_heard, self._unix(self.asked_at), self.signs.asked_at)

    @property
    def last_beat(self) -> float:
        """When it last passed a heartbeat of any replica, or was found warm by another one (unix seconds)."""
        return max(self.beat_at, self.signs.beat_at)

    def _unix(self, steady: float) -> float:
        return 0.0 if steady == -math.inf else self._wall() - (self._clock() - steady)
