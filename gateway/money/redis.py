"""The books in Redis: replicas share each key's budget."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from gateway.clock import Clock
from gateway.keys import Period
from gateway.money.base import KEEP_DAYS, LEASE_S, Answer, Balance, BooksAway, Cap, CapLine, Hold, Line, Settlement, Use
from gateway.money.periods import DAY_S, PERIODS, day, months, span, spans
from gateway.redis.address import Address
from gateway.redis.link import Away, Link, Script

_T = TypeVar("_T")

_DEADLINE_S: Final = 1.0
_CONNECTIONS: Final = 4
_AT_ONCE: Final = 16
_FOLDER: Final = Path(__file__).parent / "scripts"
_KEEP_MS: Final = round(KEEP_DAYS * DAY_S * 1000)
_KEEP_CAPS_MS: Final = round(63 * DAY_S * 1000)


class RedisBooks:
    """The store that replicas share; see Books for what it promises.

    All that is about one key lies in one slot of a Cluster, so that each step is one script.
    """

    def __init__(self, address: Address, clock: Clock, *, prefix: str = "hearth") -> None:
        client = address.client(connections=_CONNECTIONS, timeout_s=_DEADLINE_S)
        self._link = Link("books", client, clock.steady, _DEADLINE_S)
        self._clock = clock
        self._prefix = f"{prefix}:money"
        self._hold, self._settle, self._balance = _script("hold"), _script("settle"), _script("balance")

    async def hold(self, hold: Hold) -> Answer:
        name = span(hold.period, hold.at).name
        keys = [*self._holds(hold.key), self._spent(hold.key, name), self._settled(hold.key, hold.at)]
        terms = orjson.dumps({"name": name, "amount": hold.amount, "hold": [*hold]})
        told = [hold.run, name, hold.limit, hold.amount, terms, round(LEASE_S * 1000)]
        held, left = await self._border(self._link.script(self._hold, keys, told))
        return Answer(bool(held), left)

    async def held(self, key: str, run: str) -> Hold | None:
        terms = await self._run("HGET", self._of(key, "held"), run)
        return None if terms is None else Hold(*orjson.loads(terms)["hold"])

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        days = {f"{day(told.at)} {told.key}": _number(day(told.at)) for told in settlements if told.use.calls}
        if days:
            # Where they are found again, in another slot of a Cluster. Each time: Redis may have been emptied.
            await self._border(self._link.run(self._link.client.zadd(f"{self._prefix}:days", days)))
        await _in_batches(self._settle_one(told) for told in settlements)

    async def _settle_one(self, told: Settlement) -> None:
        periods = spans(told.at)
        keys = [
            *self._holds(told.key),
            self._settled(told.key, told.at),
            self._of(told.key, f"usage:{day(told.at)}"),
            self._of(told.key, f"caps:{months(told.at)[1]}"),
            *(self._spent(told.key, name) for name, _ in periods),
        ]
        said: dict[str, Any] = {
            "id": told.id,
            "line": f"{told.outcome} {told.model}",
            "use": told.use._asdict(),
            "keep": _KEEP_MS,
            "keep_caps": _KEEP_CAPS_MS,
            # From now to the period's end, and then as long as everything; 0 is for ever.
            "keep_spent": [0 if end is None else _KEEP_MS + round((end - told.at) * 1000) for _, end in periods],
        }
        if told.hold is not None:
            number = PERIODS.index(told.hold.period)
            said["budget"] = {"name": periods[number].name, "limit": told.hold.limit, "spent": 8 + number}
        if told.cap is not None:
            said["cap"] = f"{told.cap.asked} {told.cap.used} {int(told.cap.by_length)} {told.model}"
        await self._border(self._link.script(self._settle, keys, [orjson.dumps(said)]))

    async def balance(self, key: str, period: Period, at: float) -> Balance:
        name = span(period, at).name
        keys = [*self._holds(key), self._spent(key, name)]
        spent, reserved = await self._border(self._link.script(self._balance, keys, [name]))
        return Balance(int(spent or 0), int(reserved or 0))

    async def usage(self, since: str, until: str) -> list[Line]:
        days = await self._days(since, until)
        sums = await _in_batches(self._run("HGETALL", self._of(key, f"usage:{day}")) for day, key in days)
        return sorted(line for (day, key), fields in zip(days, sums, strict=True) for line in _lines(day, key, fields))

    async def caps(self, at: float, key: str | None = None) -> list[CapLine]:
        before, now = months(at)
        keys = [key] if key else sorted({key for _, key in await self._days(f"{before}-01", f"{now}-31")})
        whose = [(key, month) for key in keys for month in (before, now)]
        told = await _in_batches(self._run("HGETALL", self._of(key, f"caps:{month}")) for key, month in whose)
        runs: Counter[tuple[str, str, Cap]] = Counter()
        for (key, _), fields in zip(whose, told, strict=True):
            for field, count in fields.items():
                asked, used, by_length, model = field.decode().split(" ", 3)
                runs[key, model, Cap(int(asked), int(used), by_length == "1")] += int(count)
        return [CapLine(*line, count) for line, count in runs.items()]

    async def sweep(self) -> None:
        oldest = _number(day(self._clock.wall() - KEEP_DAYS * DAY_S))
        await self._run("ZREMRANGEBYSCORE", f"{self._prefix}:days", "-inf", f"({oldest}")

    async def close(self) -> None:
        await self._link.close()

    async def _days(self, since: str, until: str) -> list[tuple[str, str]]:
        """Days and keys of which there is anything."""
        first, last = _number(since), _number(until)
        found = await self._run("ZRANGEBYSCORE", f"{self._prefix}:days", first, last)
        return [(day, key) for day, _, key in (member.decode().partition(" ") for member in found)]

    def _of(self, key: str, what: str) -> str:
        return f"{self._prefix}:{{{key}}}:{what}"

    def _holds(self, key: str) -> list[str]:
        return [self._of(key, what) for what in ("reserved", "held", "lapses", "lapsed")]

    def _spent(self, key: str, period: str) -> str:
        return self._of(key, f"spent:{period}")

    def _settled(self, key: str, at: float) -> str:
        return self._of(key, f"settled:{day(at)}")

    async def _run(self, *words: Any) -> Any:
        return await self._border(self._link.run(self._link.client.execute_command(*words)))

    async def _border(self, work: Awaitable[_T]) -> _T:
        try:
            return await work
        except Away as error:
            raise BooksAway(f"Redis: {error}") from None


def _script(name: str) -> Script:
    return Script((_FOLDER / "lapse.lua").read_text() + (_FOLDER / f"{name}.lua").read_text())


def _number(day: str) -> int:
    return int(day.replace("-", ""))


def _lines(day: str, key: str, fields: Mapping[bytes, bytes]) -> Iterable[Line]:
    uses: dict[tuple[str, str], Use] = {}
    for field, sum in fields.items():
        column, outcome, model = field.decode().split(" ", 2)
        uses[model, outcome] = uses.get((model, outcome), Use())._replace(**{column: int(sum)})
    return [Line(day, key, model, outcome, use) for (model, outcome), use in uses.items()]


async def _in_batches(work: Iterable[Awaitable[_T]]) -> list[_T]:
    """What all of it gives, in order. Raises the first error, when everything that was begun has ended."""
    given: list[_T] = []
    waiting = iter(work)
    while batch := list(itertools.islice(waiting, _AT_ONCE)):
        for answer in await asyncio.gather(*batch, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            given.append(answer)
    return given
