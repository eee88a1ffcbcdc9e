"""The books: who may still spend what, and who used what. What a store of that promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from gateway.keys import Period
from gateway.money.periods import DAY_S

KEEP_DAYS: Final = 400
"""How long days of usage, and what was spent in a period, are kept after they ended."""
LEASE_S: Final = 60.0
"""How long a reservation stands that nobody renews."""
REMEMBERED_S: Final = 2 * DAY_S
"""How long it is known that a run was settled, or what it had reserved."""


class BooksAway(Exception):
    """The books cannot be read or written just now; says why. What was asked may have been done: ask again."""


class Hold(NamedTuple):
    """What a run may cost at most, reserved from its key's budget; amounts in nanos.

    It counts in the period of that kind in which the run began, `at` (unix seconds).
    """

    run: str
    key: str
    at: float
    period: Period
    limit: int
    amount: int
    milliseconds: int = 0
    """For how long engines have worked for the run so far, for whoever has to go on with it."""


class Answer(NamedTuple):
    """Whether it is held, and what is left: beside it if it is, and of which it would have to be a part if not."""

    held: bool
    left: int


class Use(NamedTuple):
    """Sums over calls; amounts in nanos. Tokens of answers that needed no run are those that were given again."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    milliseconds: int = 0
    """For how long engines worked."""
    cost: int = 0
    unpaid: int = 0
    """What a budget had no room for."""
    saved: int = 0
    """What the run would have cost that was not needed."""
    saved_milliseconds: int = 0

    def plus(self, other: Use) -> Use:
        """Both together."""
        return Use(*(one + more for one, more in zip(self, other, strict=True)))


class Cap(NamedTuple):
    """How one finished run stood to its max_tokens: both as bucket numbers of `guidance`."""

    asked: int
    used: int
    by_length: bool
    """Whether the cap ended it."""


class Settlement(NamedTuple):
    """What one run (or several answers without one) used. Written once for each id, however often it is told.

    No `use.calls`: nothing was used, and only what it had reserved is given back.
    """

    id: str
    key: str
    model: str
    outcome: str
    """finished, failed:CODE, canceled:BY, hit or join."""
    at: float
    use: Use
    hold: Hold | None = None
    cap: Cap | None = None


class Line(NamedTuple):
    """The use of one day (UTC) by one key, of one model, with one outcome."""

    day: str
    key: str
    model: str
    outcome: str
    use: Use


class CapLine(NamedTuple):
    """How many runs of a key and a model stood like this to their max_tokens."""

    key: str
    model: str
    cap: Cap
    runs: int


class Balance(NamedTuple):
    """Of one key in one period, in nanos."""

    spent: int
    reserved: int


class Books(Protocol):
    """The store of all that. Every method raises BooksAway."""

    async def hold(self, hold: Hold) -> Answer:
        """Reserve an amount for a run, or another one than before, or the same for longer; in one step.

        It is held if with all that is spent in that period, and all that others hold, it stays within the limit. If it
        is refused, what was held before stands. It stands for LEASE_S. For a run that is settled it does nothing.
        """

    async def held(self, key: str, run: str) -> Hold | None:
        """What was last held for a run that is not settled, lapsed or not."""

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write down what was used, and give back what was held: each of them once, in one step of its own.

        A budget is charged with no more than it has room for; the rest of the cost is noted as `unpaid`.
        """

    async def balance(self, key: str, period: Period, at: float) -> Balance:
        """What is spent and reserved in the period around that moment."""

    async def usage(self, since: str, until: str) -> list[Line]:
        """Every line from one day to another, both included (as 2026-01-31); by day, key, model, outcome."""

    async def caps(self, at: float, key: str | None = None) -> list[CapLine]:
        """How runs stood to their max_tokens in the month around that moment and the one before; of one key, or all."""

    async def sweep(self) -> None:
        """Forget what was kept for long enough; called every hour."""

    async def close(self) -> None:
        """Let go of whatever the store holds."""
