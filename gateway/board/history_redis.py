"""What is remembered of engines in Redis: all replicas add to it, and learn from it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from engines import board
from engines.history import ARRIVALS_KEPT_S, BOOTS_KEPT, BOOTS_KEPT_S
from gateway.clock import Clock
from gateway.redis.address import Address
from gateway.redis.link import Away, Link, Script

_T = TypeVar("_T")

_DEADLINE_S: Final = 1.0
_CONNECTIONS: Final = 2
_WEEK_S: Final = 7 * 86_400
_FOLDER: Final = Path(__file__).parent / "scripts"


class RedisHistory:
    """The store that replicas share; see History for what it promises.

    The boots of an engine are a list, the arrivals of a model a hash for each week, which expires as a whole. All
    weeks lie in one slot of a Cluster: arrivals are added in one step. Where its answer is lost they may count twice,
    as the caller will tell them again; for learning when people come that is no harm.
    """

    def __init__(self, address: Address, clock: Clock, *, prefix: str = "hearth") -> None:
        client = address.client(connections=_CONNECTIONS, timeout_s=_DEADLINE_S)
        self._link = Link("history", client, clock.steady, _DEADLINE_S)
        self._now = clock.wall
        self._prefix = prefix
        self._booted, self._came = _script("booted"), _script("came")

    async def booted(self, engine: str, seconds: float) -> None:
        told = [seconds, BOOTS_KEPT, round(BOOTS_KEPT_S * 1000)]
        await _border(self._link.script(self._booted, [self._boots(engine)], told))

    async def boots(self, engine: str) -> Sequence[float]:
        return [float(told) for told in await self._run("LRANGE", self._boots(engine), 0, -1)]

    async def came(self, arrivals: Mapping[tuple[str, int], int]) -> None:
        now = self._now()
        weeks: list[str] = []
        told: list[int] = []
        for (model, quarter), count in arrivals.items():
            week = quarter // _WEEK_S
            weeks.append(self._week(model, week))
            told += [quarter, count, round(((week + 1) * _WEEK_S + ARRIVALS_KEPT_S - now) * 1000)]
        await _border(self._link.script(self._came, weeks, told))

    async def arrivals(self, model: str, since: float) -> Mapping[int, int]:
        now = self._now()
        since = max(since, now - ARRIVALS_KEPT_S)
        told: dict[int, int] = {}
        # The week after this one too: another replica's clock may be ahead.
        for week in range(int(since // _WEEK_S), int(now // _WEEK_S) + 2):
            came = await self._run("HGETALL", self._week(model, week))
            told |= {int(quarter): int(count) for quarter, count in came.items()}
        return {quarter: told[quarter] for quarter in sorted(told) if quarter >= since}

    async def close(self) -> None:
        await self._link.close()

    async def _run(self, *words: str | int) -> Any:
        return await _border(self._link.run(self._link.client.execute_command(*words)))

    def _boots(self, engine: str) -> str:
        return f"{self._prefix}:boots:{engine}"

    def _week(self, model: str, week: int) -> str:
        # The braces are a Cluster's hash tag.
        return f"{self._prefix}:{{arrivals}}:{week}:{model}"


async def _border(work: Awaitable[_T]) -> _T:
    try:
        return await work
    except Away as error:
        raise board.Away(f"Redis: {error}") from None


def _script(name: str) -> Script:
    return Script((_FOLDER / f"{name}.lua").read_text())
