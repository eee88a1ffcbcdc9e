"""Tells somebody something once, and writes down how that went."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Final, NamedTuple

import aiohttp

from gateway.clock import Clock
from gateway.errors import HearthError
from gateway.metrics import Metrics
from gateway.outgoing import Outgoing, Refused, why
from gateway.predictions.base import Delivery, Predictions
from gateway.predictions.record import Happening, Record
from gateway.webhooks import address, signing
from gateway.webhooks.lanes import Lanes
from gateway.webhooks.patience import retry_after

_log = logging.getLogger(__name__)

ANSWER_S: Final = 10.0
"""How long somebody may take to answer."""
_GONE: Final = 410
_NO_LANE: Final = "Too many other calls were under way."


class Message(NamedTuple):
    """What is told, under a name that stays the same however often it is told."""

    happening: Happening
    id: str
    body: bytes
    """JSON in UTF-8."""


class Tried(NamedTuple):
    """How one try went."""

    delivery: Delivery
    hopeless: bool
    """Whether another try would end like this one."""
    retry_after_s: float | None
    """When they want to be asked again."""


class _Answer(NamedTuple):
    status: int | None = None
    error: str | None = None
    hopeless: bool = False
    retry_after: str | None = None


class Sender:
    """Signs and posts. `secret` gives what the webhooks of the key of that id are signed with."""

    def __init__(
        self,
        outgoing: Outgoing,
        store: Predictions,
        secret: Callable[[str], Awaitable[str]],
        clock: Clock,
        metrics: Metrics,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._outgoing = outgoing
        self._store = store
        self._secret = secret
        self._clock = clock
        self._metrics = metrics
        self._answer_s = answer_s
        self._lanes = Lanes()
        self._agent = f"Hearth/{version('hearth-gateway')}"

    async def send(self, record: Record, message: Message, attempt: int = 1, lane_s: float | None = None) -> Tried:
        """One try. It waits for a lane for so many seconds at most (None: for its turn), and fails on nothing."""
        assert record.hook is not None, "nobody is to be told"
        url, at, seconds = record.hook.url, self._clock.wall(), 0.0
        try:
            async with self._lanes.lane(record.owner, address.host(url), lane_s):
                at, begun = self._clock.wall(), self._clock.steady()
                answer = await self._call(url, record.key, message)
                seconds = self._clock.steady() - begun
        except TimeoutError:
            answer = _Answer(error=_NO_LANE)
        delivery = Delivery(
            at=at,
            happening=message.happening,
            message=message.id,
            attempt=attempt,
            status=answer.status,
            error=answer.error,
            seconds=seconds,
        )
        self._metrics.webhook(_outcome(answer, delivery))
        try:
            await self._store.delivered(record.id, delivery)
        except HearthError as away:
            _log.warning("%s: that its webhook was called could not be written down (%s)", record.id, away.code)
        return Tried(delivery, answer.hopeless, retry_after(answer.retry_after, self._clock.wall()))

    async def _call(self, url: str, key: str, message: Message) -> _Answer:
        try:
            async with asyncio.timeout(self._answer_s):
                secret = await self._secret(key)
                signed = signing.headers(secret, message.id, message.body, self._clock.wall())
                headers = {**signed, "content-type": "application/json", "user-agent": self._agent}
                async with self._outgoing.request("POST", url, data=message.body, headers=headers) as response:
                    # The status is all that matters: what else they say is not even read.
                    return _Answer(
                        response.status,
                        hopeless=response.status == _GONE,
                        retry_after=response.headers.get("retry-after"),
                    )
        except Refused as refused:
            return _Answer(error=str(refused), hopeless=True)
        except (HearthError, aiohttp.ClientError, TimeoutError, OSError) as failure:
            return _Answer(error=_why(failure))


def _outcome(answer: _Answer, delivery: Delivery) -> str:
    if delivery.arrived:
        return "delivered"
    if answer.status is not None:
        return "rejected"
    return "refused" if answer.hopeless else "failed"


def _why(failure: Exception) -> str:
    if isinstance(failure, HearthError):
        return failure.message
    told = why(failure)
    return f"{told[0].upper()}{told[1:]}."
