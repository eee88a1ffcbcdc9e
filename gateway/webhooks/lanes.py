"""How many calls are under way at once, and whose turn it is to make the next one."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Lanes:
    """So many in all, to one host, and of one owner, who may have any number of hosts. A lane that is free goes to one
    owner after the other, and to one host of theirs after the other: whoever waits for many delays nobody else.
    """

    def __init__(self, most: int = 64, per_owner: int = 16, per_host: int = 8) -> None:
        self._free = most
        self._per_owner = per_owner
        self._per_host = per_host
        self._owners: Counter[str] = Counter()
        """How many lanes each has; nobody is kept who has none."""
        self._hosts: Counter[str] = Counter()
        self._waiting: dict[str, dict[str, deque[asyncio.Future[None]]]] = {}
        """By owner and host, whoever is next first."""

    @asynccontextmanager
    async def lane(self, owner: str, host: str, within_s: float | None = None) -> AsyncGenerator[None]:
        """Have a lane to that host, as soon as there is one. Raises TimeoutError when there was none in that time."""
        await self._wait(owner, host, within_s)
        try:
            yield
        finally:
            self._give_back(owner, host)

    async def _wait(self, owner: str, host: str, within_s: float | None) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, {}).setdefault(host, deque()).append(turn)
        self._hand_out()
        try:
            async with asyncio.timeout(within_s):
                await turn
        except (TimeoutError, asyncio.CancelledError):
            if turn.cancelled():
                self._leave(owner, host, turn)
            else:
                self._give_back(owner, host)
            raise

    def _give_back(self, owner: str, host: str) -> None:
        self._free += 1
        for taken, name in ((self._owners, owner), (self._hosts, host)):
            taken[name] -= 1
            if not taken[name]:
                del taken[name]
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free and (found := self._next()) is not None:
            owner, host = found
            hosts = self._waiting.pop(owner)
            line = hosts.pop(host)
            turn = line.popleft()
            # Whoever had a turn comes last.
            if line:
                hosts[host] = line
            if hosts:
                self._waiting[owner] = hosts
            # One that was cancelled may not have left yet.
            if not turn.done():
                turn.set_result(None)
                self._free -= 1
                self._owners[owner] += 1
                self._hosts[host] += 1

    def _next(self) -> tuple[str, str] | None:
        """Who has waited longest since the last turn, and may have one."""
        for owner, hosts in self._waiting.items():
            if self._owners[owner] < self._per_owner:
                for host in hosts:
                    if self._hosts[host] < self._per_host:
                        return owner, host
        return None

    def _leave(self, owner: str, host: str, turn: asyncio.Future[None]) -> None:
        hosts = self._waiting.get(owner, {})
        line = hosts.get(host, deque())
        if turn in line:
            line.remove(turn)
            if not line:
                del hosts[host]
            if not hosts:
                del self._waiting[owner]
