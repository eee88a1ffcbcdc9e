"""The board in Redis: what every replica tells, and who of them leads."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from engines import board
from engines.board import Role, Seen, Sighting
from gateway.redis.address import Address
from gateway.redis.link import Away, Link, Script

_T = TypeVar("_T")

KEPT_S: Final = 10.0
"""How long what a replica told counts."""
MOST_LETTERS: Final = 500
"""Of a stage or an alarm; others are told no more."""

_DEADLINE_S: Final = 1.0
_CONNECTIONS: Final = 4
_FOLDER: Final = Path(__file__).parent / "scripts"

_log = logging.getLogger(__name__)


class RedisBoard:
    """The board that replicas share; see Board for what it promises. `clock` gives steady seconds.

    `replica` is a name that no other process has, nor one before it had. What all replicas tell is one hash, so that
    to tell and to learn is one trip; each lease is a key that expires by itself. Redis alone knows who leads: one that
    lost its memory, as after a failover, may give a lease away before the term of the one it forgot is over.
    """

    def __init__(
        self,
        address: Address,
        replica: str,
        clock: Callable[[], float],
        *,
        kept_s: float = KEPT_S,
        prefix: str = "hearth",
    ) -> None:
        client = address.client(connections=_CONNECTIONS, timeout_s=_DEADLINE_S)
        self._link = Link("board", client, clock, _DEADLINE_S)
        self.replica = replica
        self._clock = clock
        self._kept_ms = round(kept_s * 1000)
        self._prefix = prefix
        self._told = f"{prefix}:board"
        self._exchange, self._lead, self._resign = _script("exchange"), _script("lead"), _script("resign")
        self._leases: set[tuple[str, Role]] = set()
        """All that may be this replica's."""
        self._unread: set[str] = set()
        """Replicas whose words cannot be read."""

    async def exchange(self, told: Mapping[str, Sighting]) -> Seen:
        words = msgspec.msgpack.encode({engine: _brief(sighting) for engine, sighting in told.items()})
        answer = await _border(self._link.script(self._exchange, [self._told], [self.replica, words, self._kept_ms]))
        said = dict(zip(map(bytes.decode, answer[::2]), answer[1::2], strict=True))
        del said[self.replica]
        seen = {engine: {self.replica: sighting} for engine, sighting in told.items()}
        for replica, sightings in self._read(said):
            for engine, sighting in sightings.items():
                seen.setdefault(engine, {})[replica] = sighting
        return seen

    def _read(self, said: Mapping[str, bytes]) -> Iterator[tuple[str, dict[str, Sighting]]]:
        """What each replica tells; one of another version may say what cannot be read here."""
        unread = self._unread & said.keys()
        for replica, words in said.items():
            try:
                sightings = msgspec.msgpack.decode(words, type=dict[str, Sighting])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                if replica not in unread:
                    _log.warning("what replica %s tells cannot be read, and is left out: %s", replica, error)
                unread.add(replica)
            else:
                unread.discard(replica)
                yield replica, sightings
        self._unread = unread

    async def lead(self, engine: str, role: Role, seconds: float) -> bool:
        # Noted first: should the answer be lost, the lease may have been given.
        self._leases.add((engine, role))
        asked = self._clock()
        told = [self.replica, max(1, round(seconds * 1000))]
        given = await _border(self._link.script(self._lead, [self._lease(engine, role)], told))
        if not given:
            self._leases.discard((engine, role))
        # A process that stood still meanwhile may read that it leads when its time is over.
        return bool(given) and self._clock() - asked < seconds

    async def resign(self, engine: str, role: Role) -> None:
        await _border(self._link.script(self._resign, [self._lease(engine, role)], [self.replica]))
        self._leases.discard((engine, role))

    async def close(self) -> None:
        try:
            await self._link.run(self._link.client.hdel(self._told, self.replica))
            for engine, role in list(self._leases):
                await self.resign(engine, role)
        except (Away, board.Away):
            pass  # It all expires by itself.
        finally:
            await self._link.close()

    def _lease(self, engine: str, role: Role) -> str:
        return f"{self._prefix}:lead:{role}:{engine}"


def _brief(sighting: Sighting) -> Sighting:
    """As others are told of it: words of foreign programs have no end."""
    alarm = sighting.alarm
    if len(sighting.stage) <= MOST_LETTERS and (alarm is None or len(alarm) <= MOST_LETTERS):
        return sighting
    return msgspec.structs.replace(sighting, stage=sighting.stage[:MOST_LETTERS], alarm=alarm and alarm[:MOST_LETTERS])


async def _border(work: Awaitable[_T]) -> _T:
    try:
        return await work
    except Away as error:
        raise board.Away(f"Redis: {error}") from None


def _script(name: str) -> Script:
    return Script((_FOLDER / f"{name}.lua").read_text())
