"""Limits in Redis: exact for all replicas together."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from gateway.limits.backlog import Backlog, Told
from gateway.limits.base import Rate, Standing, Subject, Unit
from gateway.limits.bucket import DEBT_MINUTES, standing
from gateway.limits.line import KEPT
from gateway.limits.memory import KEEP_S, MemoryLimiter
from gateway.limits.whole import whole
from gateway.redis.address import Address
from gateway.redis.link import Away, Link, Script

_DEADLINE_S: Final = 0.5
"""How long a call waits for Redis before it goes on without it."""
_AGAIN_S: Final = 1.0
"""How long after that nobody waits for it again."""
_CONNECTIONS: Final = 4
_PATIENCE_MS: Final = 250
"""How long others wait for one whose turn it is, and who does not come for it."""
_KEEP_MS: Final = round(KEEP_S * 1000)
_MARK_MS: Final = 300_000
"""How long Redis knows what was given back, should it be told again because its answer was lost."""
_FOLDER: Final = Path(__file__).parent / "scripts"


class RedisLimiter:
    """The store that replicas share; see Limiter for what it promises. `clock` gives steady seconds.

    While Redis is away, each replica goes on with limits of its own, from where they stood. What it has taken then is
    not told to Redis; the slots that it holds are, when Redis is back, and so is all that was given back meanwhile.

    A slot lapses `lease_s` after its replica died. That should be longer than a takeover takes.
    """

    def __init__(
        self, address: Address, clock: Callable[[], float], *, lease_s: float = 15.0, prefix: str = "hearth"
    ) -> None:
        client = address.client(connections=_CONNECTIONS, timeout_s=_DEADLINE_S)
        self._link = Link("limits", client, clock, _DEADLINE_S)
        self._clock = clock
        self._here = MemoryLimiter(clock)
        self._backlog = Backlog()
        self._lease_s = lease_s
        self._lease_ms = round(lease_s * 1000)
        self._prefix = prefix
        self._fell = self._renewed = -math.inf
        self._take, self._settle = _script("take"), _script("settle")
        self._hold, self._renew, self._release = _script("hold"), _script("renew"), _script("release")
        self._turn = _script("turn")
        self._replica = secrets.token_hex(8)

    async def take(self, rates: Sequence[Rate], cost: int) -> list[Standing]:
        taken: list[Standing] = []
        for group in self._together(rates):
            standings = await self._take_together(group, cost)
            if any(each.wait_s for each in standings):
                for rate, *_ in taken:
                    await self.settle(rate.subject, rate.unit, cost, 0)
                return standings
            taken += standings
        return taken

    def _together(self, rates: Sequence[Rate]) -> Iterable[list[Rate]]:
        """Those that one call can take from: in a Cluster a subject's buckets lie in one slot, and others elsewhere."""
        if not self._link.is_cluster:
            return [list(rates)]
        return [list(group) for _, group in groupby(rates, key=lambda rate: rate.subject)]

    async def _take_together(self, rates: list[Rate], cost: int) -> list[Standing]:
        keys = [self._bucket(rate.subject, rate.unit) for rate in rates]
        sizes = [rate.per_minute for rate in rates]
        try:
            told = await self._ask(self._take, keys, [cost, DEBT_MINUTES, _KEEP_MS, *sizes])
        except Away:
            return await self._here.take(rates, cost)
        standings = []
        for rate, (used, wait_ms) in zip(rates, told, strict=True):
            self._here.put(rate, float(used))
            standings.append(standing(rate, float(used), float(wait_ms) / 1000))
        return standings

    async def settle(self, subject: Subject, unit: Unit, cost: int, used: int) -> None:
        await self._here.settle(subject, unit, cost, used)
        bucket = self._bucket(subject, unit)
        keys = [bucket, f"{bucket}:{secrets.token_hex(8)}"]
        await self._tell(self._settle, keys, [cost, used, DEBT_MINUTES, _KEEP_MS, _MARK_MS])

    async def hold(self, subject: Subject, most: int, holder: str) -> bool:
        return await self._hold_by(self._hold, [self._slots(subject)], subject, most, holder)

    async def hold_in_turn(self, subject: Subject, most: int, holder: str, key: str) -> bool:
        keys = [self._slots(subject), self._slots(subject, "turns"), self._slots(subject, "waiting")]
        more: list[str | int] = [key, self._replica, _PATIENCE_MS, _KEEP_MS, KEPT]
        return await self._hold_by(self._turn, keys, subject, most, holder, *more)

    async def _hold_by(
        self, script: Script, keys: list[str], subject: Subject, most: int, holder: str, *more: str | int
    ) -> bool:
        try:
            has = await whole(self._ask(script, keys, [holder, most, self._lease_ms, *more]))
        except Away:
            return await self._here.hold(subject, most, holder)
        if has:
            self._here.keep(subject, holder)
        return bool(has)

    async def release(self, subject: Subject, holder: str) -> None:
        self.leave(subject, holder)
        await self._tell(self._release, [self._slots(subject)], [holder])

    def leave(self, subject: Subject, holder: str) -> None:
        self._here.leave(subject, holder)

    async def renew(self) -> None:
        try:
            await self._backlog.work_off(self._ask)
        except Away:
            return  # The next one tries again.
        if self._clock() - self._renewed < self._lease_s / 4:
            return
        self._renewed = self._clock()
        try:
            for subject, holders in [(subject, list(holders)) for subject, holders in self._here.held.items()]:
                await self._ask(self._renew, [self._slots(subject)], [self._lease_ms, *holders])
                if ended := set(holders) - self._here.held.get(subject, set()):
                    # They were given back while this was under way, and it may have come later.
                    await self._tell(self._release, [self._slots(subject)], list(ended))
        except Away:
            return  # The next one tries again.

    async def close(self) -> None:
        await self._link.close()

    async def _tell(self, script: Script, keys: list[str], arguments: list[Any]) -> None:
        """Tell Redis how something ended, now or when it is back."""
        try:
            await self._ask(script, keys, arguments)
        except (Away, asyncio.CancelledError) as error:
            self._backlog.add(Told(script, keys, arguments))
            if isinstance(error, asyncio.CancelledError):
                raise

    async def _ask(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        """What a script answers. Raises Away, at once when Redis was away a moment ago."""
        if self._link.reason is not None and self._clock() - self._fell < _AGAIN_S:
            raise Away(self._link.reason)
        try:
            return await self._link.script(script, keys, arguments)
        except Away:
            self._fell = self._clock()
            # When it is back, it may lack what is held here.
            self._renewed = -math.inf
            raise

    def _bucket(self, subject: Subject, unit: Unit) -> str:
        # The braces are a Cluster's hash tag.
        return f"{self._prefix}:limit:{{{subject.kind}:{subject.name}}}:{unit}"

    def _slots(self, subject: Subject, part: str = "slots") -> str:
        return f"{self._prefix}:{part}:{{{subject.kind}:{subject.name}}}"


def _script(name: str) -> Script:
    return Script((_FOLDER / f"{name}.lua").read_text())
