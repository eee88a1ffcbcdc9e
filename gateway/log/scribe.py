"""Carries what all writers of this process have to say to Redis, in as few calls as it can."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.log.records import Keys, Packing
from gateway.log.writer import RedisWriter
from gateway.redis.link import Away, Link, Script, StoodStill

_AT_ONCE: Final = 100
"""Logs in one call: Redis does nothing else meanwhile."""
_NODES_AT_ONCE: Final = 16
_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0
_RUNNING_MS: Final = 86_400_000
"""A running log that nobody has renewed for so long is let go of."""
_log = logging.getLogger(__name__)
_FOLDER: Final = Path(__file__).parent / "scripts"


def script(name: str) -> Script:
    """One of the scripts beside this file."""
    return Script((_FOLDER / f"{name}.lua").read_text())


class Hooks(NamedTuple):
    """Who is told what Redis said of a writer."""

    kept: Callable[[RedisWriter], None]
    fenced: Callable[[RedisWriter], None]


class RedisScribe:
    """One task, one batch under way; what comes meanwhile is the next one."""

    def __init__(
        self, link: Link, keys: Keys, packing: Packing, lease_s: float, clock: Callable[[], float], hooks: Hooks
    ) -> None:
        self.run_id = ""
        """Which run of Redis answers: another one may have forgotten something."""
        self.sharded = False
        """Whether live channels are sharded: a cluster, version 7 or newer."""
        self._link = link
        self._keys = keys
        self._packing = packing
        self._lease_ms = round(lease_s * 1000)
        self._hooks = hooks
        self._append = script("append")
        self._clock = clock
        self._answered_ms, self._answered_at = round(time.time() * 1000), clock()
        self._waiting: dict[RedisWriter, None] = {}
        self._awake = asyncio.Event()
        self._over = False
        self.on_return: Callable[[], None] = lambda: None
        """Called when Redis is back after it was away, or is another run of it."""

    @property
    def away(self) -> bool:
        return self._over or not self._link.up

    @property
    def now_ms(self) -> int:
        """What time it is for Redis, near enough for indexes."""
        return self._answered_ms + round((self._clock() - self._answered_at) * 1000)

    def carry(self, writer: RedisWriter) -> None:
        self._waiting[writer] = None
        self._awake.set()

    async def run(self) -> None:
        """Carry until cancelled; from then on Redis counts as away, so that nobody waits for what nobody carries."""
        self._over = False
        try:
            await self._run()
        finally:
            self._over = True
            for writer in list(self._waiting):
                writer.go_alone()

    async def _run(self) -> None:
        pause = _PAUSE_S
        while True:
            await self._awake.wait()
            try:
                if self.away or not self.run_id:
                    await self.meet()
                await self._carry_all()
                pause = _PAUSE_S
            except StoodStill:
                # Readers are shown nothing on the word of a clock that jumped: the log may be another's by now.
                continue
            except Away:
                self._let_go_on()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            except Exception:  # noqa: BLE001
                # The border of the task: were it to end, every stream would wait for ever.
                _log.exception("what was to be written to Redis was not")
                self._let_go_on()
                self._waiting.clear()
                await asyncio.sleep(pause)

    def _let_go_on(self) -> None:
        for writer in self._waiting:
            writer.go_alone()

    async def meet(self) -> None:
        """Learn who answers, and tell when that is another one than before, or one that was away. Raises Away."""
        client, was_away, before = self._link.client, not self._link.up, self.run_id
        if self._link.is_cluster:
            answer = await self._link.run(client.info("server", target_nodes=client.PRIMARIES))
            servers = [answer] if "run_id" in answer else list(answer.values())
            self.sharded = all(int(server["redis_version"].split(".")[0]) >= 7 for server in servers)
        else:
            servers = [await self._link.run(client.info("server"))]
        self._answered_ms, self._answered_at = int(servers[0]["server_time_usec"]) // 1000, self._clock()
        self.run_id = " ".join(sorted(server["run_id"] for server in servers))
        if was_away or self.run_id != before:
            self.on_return()

    async def _carry_all(self) -> None:
        while self._waiting:
            batch = list(self._waiting)[: _NODES_AT_ONCE if self._link.is_cluster else _AT_ONCE]
            if self._link.is_cluster:
                # One call may name keys of one slot alone.
                answers = await asyncio.gather(*(self._send([writer]) for writer in batch))
                sent = [answer for [answer] in answers]
            else:
                sent = await self._send(batch)
            for writer in batch:
                del self._waiting[writer]
            for writer, answer in zip(batch, sent, strict=True):
                self._hear(writer, *answer)
        self._awake.clear()

    async def _send(self, batch: Sequence[RedisWriter]) -> list[Any]:
        keys: list[str] = []
        arguments: list[Any] = [
            self._lease_ms,
            _RUNNING_MS,
            "SPUBLISH" if self.sharded else "PUBLISH",
            self.run_id,
        ]
        for writer in batch:
            id = writer.log.generation.id
            keys += (self._keys.meta(id), self._keys.log(id), self._keys.generation(id))
            arguments += writer.arguments(self._keys, self._packing, writer.events())
        answer = await self._link.script(self._append, keys, arguments)
        self._answered_ms, self._answered_at = int(answer[0]), self._clock()
        return list(answer[1:])

    def _hear(self, writer: RedisWriter, word: bytes, tail: int, cancel: bytes, listeners: int) -> None:
        match word:
            case b"ok":
                writer.confirm(tail, listeners)
                self._hooks.kept(writer)
                if cancel:
                    writer.on_cancel()
            case b"gap":
                writer.fall_back(tail)
            case b"missing":
                writer.whole = True
            case _:
                writer.fence_off()
                self._hooks.fenced(writer)
        if writer.waiting:
            self.carry(writer)
