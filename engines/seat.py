"""One engine behind a model name: how warm it is, what it is doing about it, and what it owes."""

from __future__ import annotations

import asyncio
import math
import statistics
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from engines.base import UNTOLD_SCHEMA, Engine, State
from engines.board import Calls, Sighting
from engines.breaker import Breaker
from engines.errors import FAULTS, EngineError
from engines.outlook import Outlook, outlook
from engines.signs import Signs, Trouble
from engines.states import check

_BOOTS_KEPT: Final = 10
_BUSY_S: Final = 1.0
"""How long an engine is left alone that is busy, and does not say for how long."""
_JOIN_S: Final = 1.0
"""How long it takes to ask an engine that another replica has brought up."""
_OLD_S: Final = 15.0
"""Others may take so long to see, and to tell, that an engine is dead which they had up."""


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
    share: float = 1.0
    """How much of that it takes."""
    remembered: str | None = None
    """What its boots are remembered by, where that is another name."""
    identity: Callable[[], str] | None = None
    """What determines its answers, as 64 hexadecimal digits that every replica finds, also while it is cold.

    It may read files, so a thread calls it. Where it cannot be found, its name stands for it.
    """
    predictor: bool = False
    """Whether it takes the `inputs` of a prompt, and neither messages nor texts."""
    look: Callable[[], Awaitable[None]] | None = None
    """Finds out what its traits' schema is, without a boot; returns at once where that is known.

    May take minutes: what it needs is installed for that. Raises EngineError `boot_failed`.
    """


class Seat:
    """An engine's place in the pool. `clock` gives steady seconds, `wall` unix seconds."""

    def __init__(self, place: Place, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self.id, self.model, self.engine = place.id, place.model, place.engine
        self.shared, self.device, self.share = place.shared, place.device, place.share
        self.identity, self.predictor, self.look = place.identity, place.predictor, place.look
        self.remembered = place.remembered or self.shared or self.id
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
        """Why its heartbeats fail or, where it is to be warm, its boots; None while they do not."""
        self.trouble = Trouble()
        """What failed of late, in any replica, as far as this one knows."""
        self.next: tuple[float, str] = (math.inf, "")
        """When its keeper will next do something to it (unix seconds), and what; until it has looked, nothing."""
        self.stopped_at = 0.0
        """When it was last stopped on purpose, here (unix seconds); 0 for never."""
        self.cooled_at = 0.0
        """When somebody had it stopped (unix seconds); 0 for never, and once it was booted again."""
        self.joins = False
        """Whether its boot was only to join it, because another replica had brought it up."""
        self.breaks = 0
        """How often it broke: a boot failed, or it died again and again."""
        self._broke_joining = False
        """Whether it broke lately as one that joins, which it was not if what others told was old."""
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
        self.has_room = False
        """Whether it has its share of its device."""
        self.is_crowded_out: Callable[[], bool] = lambda: False
        """Whether others leave it no room there now."""
        self.is_pinned = False
        """Whether it is to be warm at any hour: a deployment wants it so."""
        self.is_barred = False
        """Whether it is to be cold: its model's deployments want fewer engines."""
        self.alone = True
        """Whether no other engine is behind its model name."""
        self._changed = asyncio.Event()
        self.on_change: Callable[[], None] = lambda: None

    def tell(self, state: State, stage: str) -> None:
        """Note a change and wake whoever waits for one. Raises ValueError when there is no such move."""
        if check(self.state, state) is not self.state:
            self.since = self._wall()
            self.next = math.inf, ""
            self.breaks += state is State.BROKEN and not self.joins
            self._broke_joining = state is State.BROKEN and self.joins
            if state is State.BOOTING:
                self._booting_since = self._clock()
        self.state, self.stage = state, stage
        self._changed.set()
        self._changed = asyncio.Event()
        self.on_change()

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change; another one is for the change after it."""
        return self._changed

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    def move_in(self) -> None:
        """Note that it got its share of its device: only now its boot begins."""
        self.has_room = True
        self._booting_since = self._clock()

    @property
    def is_untold(self) -> bool:
        """Whether it is a predictor of which nobody knows yet what it takes."""
        return self.predictor and self.engine.traits.schema in (None, UNTOLD_SCHEMA)

    @property
    def lives(self) -> bool:
        """Whether something boots it, runs it, or stops it."""
        return self.task is not None and not self.task.done()

    def booted(self, seconds: float) -> None:
        """Note how long a boot took; to join one that is up tells nothing of that."""
        if self.joins:
            return
        self.boot_seconds = seconds
        self.boots_done += 1
        self.boot_times.append(seconds)

    def remember(self, boots: Sequence[float]) -> None:
        """Take over what was remembered of earlier boots."""
        self.boot_times = deque([*boots, *self.boot_times], maxlen=_BOOTS_KEPT)

    @property
    def boot_estimate_s(self) -> float | None:
        """How long a boot takes, as far as this replica knows, or the others do; None while none was seen."""
        if self.boot_times:
            return statistics.median(self.boot_times)
        told = [each.boot_estimate_s for each in self.elsewhere.values() if each.boot_estimate_s is not None]
        return max(told, default=None)

    @property
    def outlook(self) -> Outlook:
        """When it will likely be warm, if it is booted now or is booting.

        How long others take to make room for it is not known.
        """
        if self.state in (State.COLD, State.BOOTING) and self.is_crowded_out():
            return Outlook(self.state, None)
        if self.state is State.COLD and self.warm_elsewhere:
            return Outlook(self.state, _JOIN_S)
        return outlook(self.state, self.boot_estimate_s, self._clock() - self._booting_since)

    @property
    def calls(self) -> Calls:
        """What its breaker does with calls now."""
        return self.breaker.calls(self._clock())

    @property
    def outstanding(self) -> int:
        """Tokens that it owes to the callers of all replicas."""
        return self.owed + sum(each.outstanding for each in self.elsewhere.values())

    @property
    def warm_elsewhere(self) -> bool:
        """Whether another replica has brought it up."""
        return any(each.state is State.WARM for each in self.elsewhere.values())

    @property
    def busy_elsewhere(self) -> bool:
        """Whether other replicas' callers wait for it."""
        return any(each.running for each in self.elsewhere.values())

    def blame(self) -> None:
        """Count a failure after all: another engine has answered the same prompt."""
        self.breaker.failed(self.breaker.count, self._clock())

    def wake(self) -> None:
        """Have whoever waits for a change look again."""
        self.tell(self.state, self.stage)

    @property
    def is_probed(self) -> bool:
        """Whether a call finds out just now if it may be asked again."""
        return self.state is State.WARM and self.breaker.is_probed(self._clock())

    @property
    def wait_s(self) -> float:
        """How long it is left alone yet, for what it failed; 0 when it may be asked."""
        return self.breaker.wait_s(self._clock())

    @contextmanager
    def holding(self, tokens: int) -> Iterator[Hold]:
        """Owe a caller about so many tokens; an engine that is held is not stopped if that can wait."""
        self.held += 1
        self.owed += tokens
        self.asked_at = self._clock()
        hold = Hold(self)
        try:
            yield hold
        except EngineError as error:
            hold.judge(error, self._clock())
            raise
        finally:
            hold.end()
            self.held -= 1
            self.owed -= tokens
            if not self.held and self.state is State.DRAINING:
                self.tell(self.state, self.stage)

    def see(self, elsewhere: Mapping[str, Sighting]) -> None:
        """Note what other replicas know of it."""
        self.elsewhere = elsewhere
        if self._broke_joining and not self.warm_elsewhere:
            # It was there to be joined no more: that boot was its own.
            self.breaks += 1
            self._broke_joining = False
        self._broke_joining = self._broke_joining and self._wall() - self.since < _OLD_S
        if self.state is State.DRAINING:
            # Whoever drains it waits for them too.
            self.tell(self.state, self.stage)

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


class Hold:
    """One caller's hold on an engine, from the question to the last word of the answer."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        # That of this boot: what an earlier one did is no fault of the next.
        self._breaker = seat.breaker
        self._call = self._breaker.begin()

    def heard(self, now: float, tokens: int) -> None:
        """The engine gave the caller something (steady seconds)."""
        self._seat.heard_at = now
        self._seat.tokens += tokens
        if self._breaker.failures:
            self._breaker.succeeded(self._call)
            self._seat.wake()

    def judge(self, error: EngineError, now: float) -> None:
        """Count what failed, but not what may be the prompt's fault: see `Seat.blame`."""
        # Whether a lone engine is there at all is found out by those who watch it.
        watched = self._seat.alone and error.code == "engine_unreachable"
        if error.code in FAULTS and error.code != "engine_failed" and not watched:
            wait_s = (error.retry_after_s or _BUSY_S) if error.code == "engine_busy" else None
            self._breaker.failed(self._call, now, wait_s)

    def end(self) -> None:
        """The caller is gone."""
        if self._breaker.end(self._call):
            self._seat.wake()
