"""Which predictions this replica attends to: its own, and those of replicas that are gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final, NamedTuple

from gateway.errors import HearthError
from gateway.predictions.attendance import Attendance, Parts
from gateway.predictions.record import Record

LEASE_S: Final = 10.0
"""How long a record stays with a replica of which nothing is heard."""
MOST: Final = 4096
"""Records that one replica attends to at once. The others wait in the store for whoever has room."""
_AT_ONCE: Final = 100
"""Records taken in one round."""

_log = logging.getLogger(__name__)


class _Own(NamedTuple):
    attendance: Attendance
    task: asyncio.Task[None]


class Attending:
    """Has a task for each record that it attends to, and one that keeps the leases.

    `replica` is a name that no other process has, nor one before it had.
    """

    def __init__(self, parts: Parts, replica: str, lease_s: float = LEASE_S, most: int = MOST) -> None:
        self._parts = parts
        self._store = parts.store
        self._replica = replica
        self._lease_s = lease_s
        self._most = most
        self._own: dict[str, _Own] = {}
        self._keeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._own)

    def begin(self) -> None:
        """Start to keep the leases, and to take what others left."""
        self._keeper = asyncio.create_task(self._keep(), name="attending")

    async def close(self) -> None:
        """Let everything go, for another replica or the next process; before the logs and the store are closed."""
        ids, tasks = list(self._own), [own.task for own in self._own.values()]
        if self._keeper is not None:
            tasks.append(self._keeper)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        # Where that cannot be written, they are taken when their leases lapse.
        with contextlib.suppress(HearthError):
            await self._store.let_go(self._replica, ids)

    async def attend(self, record: Record) -> None:
        """Keep a record, and see it to its end if it is new. Raises HearthError `state_unavailable`."""
        if await self._store.add(record, self._replica, self._lease_s):
            self._see(record)

    async def round(self) -> None:
        """Renew the leases, take what others left, and have the store swept. Raises HearthError `state_unavailable`."""
        if own := dict(self._own):
            kept = await self._store.renew(self._replica, list(own), self._lease_s)
            for id in own.keys() - kept:
                await self._give_up(own[id])
        if (room := min(_AT_ONCE, self._most - len(self._own))) > 0:
            for record in await self._store.take(self._replica, self._lease_s, room):
                self._see(record)
        await self._store.sweep()

    def _see(self, record: Record) -> None:
        """Begin to attend to a record, where there is room: else its lease lapses, and it is taken again."""
        if record.id not in self._own and len(self._own) < self._most:
            attendance = Attendance(record, self._parts)
            task = asyncio.create_task(self._run(attendance), name=f"attend {record.id}")
            self._own[record.id] = _Own(attendance, task)
            task.add_done_callback(lambda _: self._own.pop(record.id, None))

    async def _run(self, attendance: Attendance) -> None:
        try:
            await attendance.run()
        except Exception:  # noqa: BLE001
            # One record harms no other; this one is tried again when its lease has lapsed.
            _log.exception("attending to prediction %s broke", attendance.record.id)

    async def _give_up(self, own: _Own) -> None:
        """Leave a record to whoever has taken it; put it back where the store has forgotten it, and was emptied."""
        record = own.attendance.record
        if await self._store.get(record.id) is not None:
            own.task.cancel()
        elif not own.task.done():
            await self._store.add(record, self._replica, self._lease_s)
            if record.ending is not None:
                await self._store.ended(record.id, record.ending)

    async def _keep(self) -> None:
        while True:
            try:
                await self.round()
            except HearthError:
                _log.debug("the leases of predictions wait for their store")
            except Exception:  # noqa: BLE001
                # The leases must outlive whatever one round of it meets.
                _log.exception("a round over the predictions broke")
            await asyncio.sleep(self._lease_s / 3)
