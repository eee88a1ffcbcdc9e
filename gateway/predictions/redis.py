"""Predictions in Redis: one history for all replicas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from gateway.clock import Clock
from gateway.errors import HearthError
from gateway.predictions.base import REMEMBERED_S, TRIES, Delivery, Page, Query
from gateway.predictions.record import Ending, Record
from gateway.redis.address import Address
from gateway.redis.link import Away, Link, Script

_T = TypeVar("_T")

_DEADLINE_S: Final = 2.0
"""How long one step waits for Redis. A create on one that stands still waits for other stores too, and is refused
within five seconds."""
_CONNECTIONS: Final = 32
"""Who waits for a free one is overtaken by others: of 200 creates at once some waited three seconds for one of four."""
_AT_ONCE: Final = 200
_FIELDS: Final = ("record", "ending", "told", "heard")
_FOLDER: Final = Path(__file__).parent / "scripts"


class _Kept(NamedTuple):
    record: Record
    heard: bool


class RedisPredictions:
    """The store that replicas share; see Predictions for what it promises.

    Each record is a hash that expires by itself, in a slot of its own; each list of them a sorted set by their age,
    from which the old ones go when a new one comes. Who attends to which lies in one slot, so that each step there is
    one script. A record is attended to before it is there, and until it is known to be told: none is left alone.
    """

    def __init__(
        self, address: Address, clock: Clock, remembered_s: float = REMEMBERED_S, *, prefix: str = "hearth"
    ) -> None:
        client = address.client(connections=_CONNECTIONS, timeout_s=_DEADLINE_S)
        self._link = Link("predictions", client, clock.steady, _DEADLINE_S)
        self._now = clock.wall
        self._remembered_s = remembered_s
        self._prefix = prefix
        self._lapses, self._attendants, self._unheard = (
            f"{prefix}:{{predictions}}:{what}" for what in ("lapses", "attendants", "unheard")
        )
        self._attend, self._lease, self._take = _script("attend"), _script("lease"), _script("take")
        self._mark, self._deliver = _script("mark"), _script("deliver")

    async def add(self, record: Record, attendant: str, lease_s: float) -> bool:
        if await self._run("EXISTS", self._record(record.id)):
            return False
        attending = [record.id, attendant, _ms(lease_s)]
        await self._border(self._link.script(self._attend, [self._lapses, self._attendants], attending))
        pipe = self._link.client.pipeline(transaction=False)
        owner, source, model = record.owner, record.source, record.model
        lists = [self._list(owner, *which) for which in ((source, model), (source, None), (None, model), (None, None))]
        for each in [*lists, self._list(None, None, model)]:
            pipe.zadd(each, {record.id: record.created})
            pipe.zremrangebyscore(each, "-inf", self._oldest)
            pipe.pexpire(each, _ms(self._remembered_s))
        pipe.hsetnx(self._record(record.id), "record", msgspec.json.encode(record))
        pipe.pexpire(self._record(record.id), _ms(self._remembered_s))
        *_, is_new, _ = await self._border(self._link.run(pipe.execute()))
        return bool(is_new)

    async def get(self, id: str, owner: str | None = None) -> Record | None:
        kept = await self._kept([id])
        return next((record for record, _ in kept if owner in (None, record.owner)), None)

    async def page(self, owner: str, query: Query) -> Page:
        found = await self._beyond(owner, query._replace(limit=query.limit + 1))
        records = [record for record, _ in await self._kept(found)]
        edge = query.edge(records)
        behind = query._replace(before=edge, backwards=not query.backwards, limit=1)
        return query.page(records, edge is not None and bool(await self._beyond(owner, behind)))

    async def count(self, owner: str | None, model: str) -> int:
        return int(await self._run("ZCOUNT", self._list(owner, None, model), f"({self._oldest!r}", "+inf"))

    async def ended(self, id: str, ending: Ending) -> Record | None:
        marked = ["ending", msgspec.json.encode(ending)]
        kept = _kept(await self._border(self._link.script(self._mark, [self._record(id)], marked)))
        if kept is None:
            return None
        if kept.record.is_awaited and kept.record.ending is not None:
            await self._run("ZADD", self._unheard, kept.record.ending.completed, id)
        return kept.record

    async def told(self, id: str) -> None:
        await self._border(self._link.script(self._mark, [self._record(id)], ["told", 1]))
        await self._leave([id])

    async def renew(self, attendant: str, ids: list[str], lease_s: float) -> set[str]:
        leasing = [attendant, _ms(lease_s), *ids]
        own = await self._border(self._link.script(self._lease, [self._lapses, self._attendants], leasing))
        return {id.decode() for id in own}

    async def take(self, attendant: str, lease_s: float, most: int) -> list[Record]:
        taking = [attendant, _ms(lease_s), most]
        taken = await self._border(self._link.script(self._take, [self._lapses, self._attendants], taking))
        ids = [id.decode() for id in taken]
        records = [record for record, _ in await self._kept(ids) if not record.told]
        # Whoever added these, or told them, came no further than that.
        await self._leave(set(ids) - {record.id for record in records})
        return records

    async def let_go(self, attendant: str, ids: list[str]) -> None:
        await self.renew(attendant, ids, 0.0)

    async def delivered(self, id: str, delivery: Delivery) -> None:
        heard = delivery.happening == "completed" and delivery.arrived
        told = [msgspec.json.encode(delivery), TRIES, int(heard)]
        await self._border(self._link.script(self._deliver, [self._record(id), self._tries(id)], told))
        if heard:
            await self._run("ZREM", self._unheard, id)

    async def deliveries(self, id: str) -> list[Delivery]:
        tries = await self._run("LRANGE", self._tries(id), 0, -1)
        return [msgspec.json.decode(written, type=Delivery) for written in tries]

    async def undelivered(self, owner: str | None, since: float, limit: int) -> list[Record]:
        wanted: list[Record] = []
        for start in range(0, int(await self._run("ZCARD", self._unheard)), _AT_ONCE):
            ids = await self._run("ZREVRANGEBYSCORE", self._unheard, "+inf", since, "LIMIT", start, _AT_ONCE)
            kept = await self._kept([id.decode() for id in ids])
            wanted += [each.record for each in kept if each.record.told and not each.heard]
            wanted = [record for record in wanted if owner in (None, record.owner)]
            if len(ids) < _AT_ONCE or len(wanted) >= limit:
                break
        return wanted[:limit]

    async def sweep(self) -> None:
        await self._run("ZREMRANGEBYSCORE", self._unheard, "-inf", self._oldest)

    async def close(self) -> None:
        await self._link.close()

    @property
    def _oldest(self) -> float:
        return self._now() - self._remembered_s

    async def _beyond(self, owner: str, query: Query) -> list[str]:
        """The next ones from `before` on, the nearest to it first."""
        name = self._list(owner, query.source, query.model)
        low, high = max(self._oldest, query.created_after or -math.inf), query.created_before or math.inf
        if query.before is not None:
            edge = query.before[0]
            low, high = (max(low, edge), high) if query.backwards else (low, min(high, edge))
        command, ends = ("ZRANGEBYSCORE", (low, high)) if query.backwards else ("ZREVRANGEBYSCORE", (high, low))
        found: list[str] = []
        for start in itertools.count(step=query.limit):
            rows = await self._run(command, name, *ends, "LIMIT", start, query.limit, "WITHSCORES")
            places = [(float(score), id.decode()) for id, score in _pairs(rows)]
            found += [id for created, id in places if _fits(query, (created, id))]
            if len(places) < query.limit or len(found) >= query.limit:
                break
        return found[: query.limit]

    async def _kept(self, ids: Sequence[str]) -> list[_Kept]:
        """What is kept of these, without those that are not any more."""
        found: list[_Kept] = []
        for start in range(0, len(ids), _AT_ONCE):
            pipe = self._link.client.pipeline(transaction=False)
            for id in ids[start : start + _AT_ONCE]:
                pipe.hmget(self._record(id), _FIELDS)
            kept = map(_kept, await self._border(self._link.run(pipe.execute())))
            found += [each for each in kept if each is not None and each.record.created > self._oldest]
        return found

    async def _leave(self, ids: Iterable[str]) -> None:
        """Nobody attends to these any more."""
        if gone := list(ids):
            pipe = self._link.client.pipeline(transaction=False)
            # In this order: what is in the list of lapses alone is found again.
            pipe.hdel(self._attendants, *gone)
            pipe.zrem(self._lapses, *gone)
            await self._border(self._link.run(pipe.execute()))

    def _record(self, id: str) -> str:
        return f"{self._prefix}:prediction:{{{id}}}"

    def _tries(self, id: str) -> str:
        return f"{self._record(id)}:tries"

    def _list(self, owner: str | None, source: str | None, model: str | None) -> str:
        whose = "all" if owner is None else f"of:{owner}"
        return f"{self._prefix}:predictions:{source or '*'}:{model or '*'}:{whose}"

    async def _run(self, *words: Any) -> Any:
        return await self._border(self._link.run(self._link.client.execute_command(*words)))

    async def _border(self, work: Awaitable[_T]) -> _T:
        try:
            return await work
        except Away as error:
            raise HearthError("state_unavailable") from error


def _kept(fields: Sequence[bytes | None]) -> _Kept | None:
    record, ending, told, heard = fields
    if record is None:
        return None
    known = msgspec.structs.replace(
        msgspec.json.decode(record, type=Record),
        ending=None if ending is None else msgspec.json.decode(ending, type=Ending),
        told=told is not None,
    )
    return _Kept(known, heard is not None)


def _pairs(rows: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Each member with its score."""
    return zip(rows[::2], rows[1::2], strict=True)


def _fits(query: Query, place: tuple[float, str]) -> bool:
    """What lies on the ends of a range of Redis' may or may not be wanted."""
    if query.created_before is not None and place[0] >= query.created_before:
        return False
    return query.before is None or (place > query.before if query.backwards else place < query.before)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _script(name: str) -> Script:
    return Script((_FOLDER / f"{name}.lua").read_text())
