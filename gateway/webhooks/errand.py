"""Tells whoever wants to hear of a prediction: of its course once each, of its end until that is heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from secrets import SystemRandom
from typing import Final

from gateway.clock import Clock
from gateway.errors import HearthError
from gateway.log.local import Log, Reader
from gateway.predictions.base import Delivery, Predictions
from gateway.predictions.record import Happening, Record
from gateway.webhooks import address
from gateway.webhooks.patience import USUAL, Patience
from gateway.webhooks.plan import EVERY_S, Plan
from gateway.webhooks.sender import ANSWER_S, Message, Sender

_log = logging.getLogger(__name__)

Render = Callable[[Record, Log | None, Happening], bytes]
"""A prediction as whoever GETs it now is shown it, its start as it was then; without a log, that is gone."""

_IDLE_S: Final = 3600.0


class Webhooks:
    """Errands (see gateway/predictions/errand.py) that are run over HTTP. `every_s` is for outputs and logs."""

    def __init__(
        self,
        sender: Sender,
        store: Predictions,
        render: Render,
        clock: Clock,
        patience: Patience = USUAL,
        every_s: float = EVERY_S,
    ) -> None:
        self._sender = sender
        self._store = store
        self._render = render
        self._clock = clock
        self._patience = patience
        self._every_s = every_s
        self._random = SystemRandom()

    async def follow(self, record: Record, reader: Reader) -> None:
        """Tell of its start, its outputs and its logs, in order, until its log ends. Fails on nothing."""
        if record.hook is None:
            return
        # Whoever attended to it before has told of some of that: of the start first.
        told = {delivery.message for delivery in await self._deliveries(record)}
        plan = Plan({*record.hook.happenings} - ({"start"} if told else set()), self._every_s)
        while True:
            for event in reader.take():
                plan.see(event)
            if (happening := plan.due(self._clock.steady())) is not None:
                message = self._message(record, happening, reader.log)
                if message.id not in told:
                    await self._sender.send(record, message, lane_s=ANSWER_S)
                # Much may have happened meanwhile: what is due now is another question.
                continue
            if reader.done or reader.log.lost:
                return
            await self._wait(plan, reader)

    async def complete(self, record: Record, reader: Reader | None) -> None:
        """Tell of its end until that is heard or given up."""
        if record.hook is None or "completed" not in record.hook.happenings:
            return
        message = self._message(record, "completed", reader.log if reader else None)
        earlier = await self._earlier(record, message)
        if any(delivery.arrived for delivery in earlier):
            return
        begun = float("inf")
        for tries in count(1):
            tried = await self._sender.send(record, message, len(earlier) + tries)
            # Not the wait for the first lane: that is no fault of theirs.
            begun = min(begun, self._clock.steady() - tried.delivery.seconds)
            if tried.delivery.arrived:
                return
            passed = self._clock.steady() - begun
            wait = self._patience.wait_s(tries, passed, self._random.random(), tried.retry_after_s)
            if tried.hopeless or wait is None:
                break
            await asyncio.sleep(wait)
        why = tried.delivery.error or f"status {tried.delivery.status}"
        _log.warning("%s: %s did not hear of its end: %s", record.id, address.host(record.hook.url), why)

    async def again(self, record: Record, log: Log | None) -> Delivery:
        """Tell of its end once more, whether that was heard or not. Needs a record that has ended, with a hook."""
        message = self._message(record, "completed", log)
        attempt = len(await self._earlier(record, message)) + 1
        return (await self._sender.send(record, message, attempt)).delivery

    async def _wait(self, plan: Plan, reader: Reader) -> None:
        """Until something is due, or may be."""
        seconds = plan.in_s(self._clock.steady())
        if seconds is None and plan.listens:
            await reader.wait(_IDLE_S)
        else:
            # Nothing but the end is worth waking up for before that.
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await reader.end()

    def _message(self, record: Record, happening: Happening, log: Log | None) -> Message:
        # Start and end happen once. The rest goes by what was there: another replica would tell of it by the same name.
        id = f"msg_{record.id}_{happening}"
        if happening in ("output", "logs") and log is not None:
            id += f"_{log.tail}"
        return Message(happening, id, self._render(record, log, happening))

    async def _earlier(self, record: Record, message: Message) -> list[Delivery]:
        return [delivery for delivery in await self._deliveries(record) if delivery.message == message.id]

    async def _deliveries(self, record: Record) -> list[Delivery]:
        try:
            return await self._store.deliveries(record.id)
        except HearthError:
            # To tell somebody twice is better than not to tell them.
            return []
