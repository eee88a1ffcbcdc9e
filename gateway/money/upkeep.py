"""What it costs to keep models warm while nobody asks them, and what that spares.

Nobody pays for it: it stands in the books under a key of its own, and in no usage. A second in which an engine is
warm and nobody waits for it costs what a second of its compute costs; the seconds of heartbeats are among them. A boot
is spared whenever somebody finds a model warm that nobody had asked for longer than `idle_seconds`: without a keeper
it would have gone cold, and this call would have waited for as long as a boot takes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from engines.base import State
from engines.pool import Pool
from engines.seat import Seat
from gateway.clock import Clock
from gateway.events import Usage
from gateway.generation import new_id
from gateway.metrics import Metrics
from gateway.money.base import Settlement, Use
from gateway.money.periods import DAY_S
from gateway.money.prices import Prices

KEEPER: Final = "keeper"
"""The key under which it stands."""
Kept = Literal["beat", "idle", "spared"]

_POUR_S: Final = 60.0
_WARM_BEFORE_S: Final = 1.0
"""Who finds an engine that is warm for less has waited for its boot."""


class Upkeep:
    """Counts it, for `MoneyGate` to write. `idle_s` is after how long a model would go cold, of those that would.

    `replica` is the name of this process among those that share engines.
    """

    def __init__(
        self,
        pool: Pool,
        replica: str,
        prices: Mapping[str, Prices],
        idle_s: Mapping[str, float],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._pool = pool
        self._replica = replica
        self._prices = prices
        self._idle_s = idle_s
        self._clock = clock
        self._metrics = metrics
        self._counts: Counter[tuple[str, Kept]] = Counter()
        self._seconds: defaultdict[tuple[str, Kept], float] = defaultdict(float)
        self._asked: dict[str, float] = {}
        self._looked_at = self._poured_at = clock.steady()

    def beat(self, model: str, seconds: float, *, passed: bool) -> None:
        """Note a heartbeat."""
        self._metrics.beat(model, seconds, passed=passed)
        self._count(model, "beat", seconds)

    def look(self) -> None:
        """Note what the engines did since the last look; called every second."""
        now = self._clock.steady()
        passed, self._looked_at = now - self._looked_at, now
        for seat in self._pool.seats.values():
            # Where a second costs nothing, there is nothing to be written down.
            idle = seat.state is State.WARM and not seat.held and not seat.busy_elsewhere
            if idle and self._prices.get(seat.model, Prices()).second and self._counts_for(seat):
                self._seconds[seat.model, "idle"] += passed
        for model in self._pool.models:
            self._see_who_came(model)

    def pour(self, *, all: bool = False) -> Iterator[Settlement]:
        """What was counted since the last time, once a minute; `all` of it at once."""
        now = self._clock.steady()
        if not all and now - self._poured_at < _POUR_S:
            return
        self._poured_at = now
        midnight = self._clock.wall() // DAY_S * DAY_S
        for model, what in sorted(self._counts.keys() | self._seconds.keys()):
            use = self._use(model, what)
            yield Settlement(new_id("kept"), KEEPER, model, what, midnight, use)
        self._counts.clear()
        self._seconds.clear()

    def _use(self, model: str, what: Kept) -> Use:
        # A settlement without a call would be taken for one that gives back alone.
        calls, milliseconds = max(1, self._counts[model, what]), round(self._seconds[model, what] * 1000)
        if what == "spared":
            return Use(calls, saved_milliseconds=milliseconds)
        cost = self._prices.get(model, Prices()).cost(Usage(), milliseconds)
        return Use(calls, milliseconds=milliseconds, cost=cost)

    def _counts_for(self, seat: Seat) -> bool:
        """Whether it is this replica that counts an engine: of those that find it warm, the first by name."""
        return all(self._replica < name for name, each in seat.elsewhere.items() if each.state is State.WARM)

    def _see_who_came(self, model: str) -> None:
        seats = self._pool.models[model].seats
        last, self._asked[model] = self._asked.get(model, 0.0), max(seat.last_asked for seat in seats)
        idle_s = self._idle_s.get(model)
        if idle_s is None:
            return
        seat = max(seats, key=lambda seat: seat.asked_at)
        came_at = self._clock.wall() - (self._clock.steady() - seat.asked_at)
        if came_at - last > max(idle_s, _WARM_BEFORE_S) and came_at - seat.since > _WARM_BEFORE_S:
            self._count(model, "spared", seat.boot_estimate_s or 0.0)

    def _count(self, model: str, what: Kept, seconds: float) -> None:
        self._counts[model, what] += 1
        self._seconds[model, what] += seconds
