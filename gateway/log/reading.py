"""What Redis holds of a log, read in one go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from gateway.generation import Generation
from gateway.log.records import Keys, Message, Packing, read_past
from gateway.redis.link import Away, Link

_ID: Final = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)
"""What a log may be named; anything else is asked for by strangers."""


class Found(NamedTuple):
    """A log in Redis. `generation` is None when it has expired and is only remembered."""

    owner: str
    epoch: str
    past: dict[str, int]
    tail: int
    ended: bool
    generation: Generation | None
    messages: Sequence[Message]


class Tail(NamedTuple):
    """Where a log stands: no epoch when Redis knows nothing of it; until when (ms) its writer has it, if one has."""

    epoch: str | None
    tail: int
    lease: int | None


class Reading:
    """Reads logs, on connections that serve nothing else."""

    def __init__(self, link: Link, keys: Keys, packing: Packing) -> None:
        self._link = link
        self._keys = keys
        self._packing = packing

    async def log(self, id: str, start: int = 0, *, generation: bool = True) -> Found | None:
        """What Redis has of a log, with the events from that offset on; None when it knows nothing. Raises Away."""
        if not _ID.fullmatch(id):
            return None
        pipe = self._link.client.pipeline(transaction=False)
        pipe.hmget(self._keys.meta(id), "owner", "epoch", "past", "tail", "ended")
        # An entry is named by the offset behind its last event.
        pipe.xrange(self._keys.log(id), f"{start + 1}-0", "+")
        if generation:
            pipe.get(self._keys.generation(id))
        else:
            pipe.exists(self._keys.generation(id))
        (owner, epoch, past, tail, ended), entries, packed = await self._link.run(pipe.execute())
        if epoch is None:
            return None
        try:
            return Found(
                owner.decode(),
                epoch.decode(),
                read_past(past),
                int(tail),
                ended is not None,
                self._packing.unpack_generation(packed) if generation and packed else None,
                [self._packing.unpack(fields[b"m"]) for _, fields in entries],
            )
        except ValueError:
            raise Away("another version of Hearth wrote this log") from None

    async def generation(self, id: str) -> Generation | None:
        """The generation of a log, None when it is not kept. Raises Away."""
        packed = await self._link.run(self._link.client.get(self._keys.generation(id)))
        try:
            return None if packed is None else self._packing.unpack_generation(packed)
        except ValueError:
            raise Away("another version of Hearth wrote this log") from None

    async def tails(self, ids: Sequence[str]) -> list[Tail]:
        """Where these logs stand. Raises Away."""
        pipe = self._link.client.pipeline(transaction=False)
        for id in ids:
            pipe.hmget(self._keys.meta(id), "epoch", "tail", "ended", "lease")
        answers: list[Any] = await self._link.run(pipe.execute())
        return [
            Tail(epoch.decode() if epoch else None, int(tail or -1), None if ended else int(lease or 0))
            for epoch, tail, ended, lease in answers
        ]
