"""Somebody who is told of predictions, and a prediction to tell of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from typing import Any, NamedTuple

from aiohttp import web

from engines.base import Prompt
from gateway.clock import Clock
from gateway.errors import HearthError
from gateway.events import Event
from gateway.generation import Generation, new_id
from gateway.log.local import Log, Reader
from gateway.metrics import Metrics
from gateway.outgoing import Outgoing
from gateway.predictions.base import Delivery
from gateway.predictions.record import ALL, Ending, Happening, Hook, Record, id_of
from gateway.webhooks import signing
from gateway.webhooks.errand import Webhooks
from gateway.webhooks.patience import Patience
from gateway.webhooks.sender import Sender

SEAL = bytes(range(32))
LOOPBACK = [ip_network("127.0.0.0/8")]
QUICK = Patience(total_s=5.0, first_s=0.002, longest_s=0.01)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Heard(NamedTuple):
    """One call."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


class Receiver:
    """A webhook. `answer` says what to answer to a call; by itself 200."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[Heard] = []
        self.answer: Answer = self._good

    @property
    def events(self) -> list[str]:
        """What each call was for, by its webhook-id."""
        return [each.headers["webhook-id"].split("_")[2] for each in self.heard]

    @staticmethod
    async def _good(request: web.Request) -> web.StreamResponse:
        return web.Response(text="thanks")

    async def hear(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.heard.append(Heard(request.raw_path, headers, await request.read()))
        return await self.answer(request)


async def silence(seconds: float) -> None:
    """Say nothing for so long: whoever calls is tired of waiting before that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


def answers(*statuses: int, **headers: str) -> Answer:
    """These, one after the other, and then the last one for good."""
    left = list(statuses)

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=left.pop(0) if len(left) > 1 else left[0], headers=headers)

    return answer


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?token=secret"
    try:
        yield receiver
    finally:
        await runner.cleanup()


class Book:
    """What errands need of a store of predictions."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Delivery]] = {}
        self.away = False

    async def delivered(self, id: str, delivery: Delivery) -> None:
        self._reach()
        self.kept.setdefault(id, []).append(delivery)

    async def deliveries(self, id: str) -> list[Delivery]:
        self._reach()
        return list(self.kept.get(id, []))

    def _reach(self) -> None:
        if self.away:
            raise HearthError("state_unavailable")


class Case(NamedTuple):
    """One prediction and its log."""

    record: Record
    log: Log

    def reader(self) -> Reader:
        return self.log.read(0)

    def say(self, *events: Event) -> None:
        self.log.extend(events)

    def ended(self) -> Record:
        return ended(self.record)


def ended(record: Record) -> Record:
    return Record(**{**as_dict(record), "ending": Ending("succeeded", 1_000_010.0)})


def as_dict(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def case(url: str | None, *happenings: Happening, key: str = "key_a", owner: str = "shop") -> Case:
    generation = new_id("gen")
    record = Record(
        id=id_of(generation),
        generation=generation,
        owner=owner,
        key=key,
        model="acme/demo",
        version="0" * 64,
        created=1_000_000.0,
        address="https://gw.example/replicate/v1",
        hook=None if url is None else Hook(url, happenings or ALL),
    )
    run = Generation(id=generation, owner=owner, model="demo", prompt=Prompt(texts=("hi",)), created=1_000_000.0)
    return Case(record, Log(run, "epoch0"))


def render(record: Record, log: Log | None, happening: Happening) -> bytes:
    """Stands in for the surface: how much was there, of what this is, and letters of all kinds."""
    said = {
        "id": record.id,
        "status": record.ending.status if record.ending else "processing",
        "of": happening,
        "seen": log.tail if log else None,
        "output": "größer 🔥 \u2028",
    }
    return json.dumps(said, ensure_ascii=False).encode()


async def secret(key: str) -> str:
    return signing.secret(SEAL, key)


@asynccontextmanager
async def telling(
    book: Book,
    *,
    patience: Patience = QUICK,
    every_s: float = 0.02,
    answer_s: float = 5.0,
    allowed: list[Any] = LOOPBACK,
    secret: Callable[[str], Awaitable[str]] = secret,
    metrics: Metrics | None = None,
) -> AsyncIterator[Webhooks]:
    outgoing = Outgoing(allowed)
    await outgoing.begin()
    sender = Sender(outgoing, book, secret, Clock(), metrics or Metrics(), answer_s)  # type: ignore[arg-type]
    try:
        yield Webhooks(sender, book, render, Clock(), patience, every_s)  # type: ignore[arg-type]
    finally:
        await outgoing.close()


async def attend(webhooks: Webhooks, case: Case) -> None:
    """All that one replica does for one prediction."""
    reader = case.reader()
    try:
        await webhooks.follow(case.record, reader)
        await webhooks.complete(case.ended(), reader)
    finally:
        reader.close()


async def soon(awaitable: Awaitable[Any]) -> Any:
    async with asyncio.timeout(10):
        return await awaitable
