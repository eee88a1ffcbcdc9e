"""Two replicas tell of predictions, one is killed: every end is heard, in order, and none is forged."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any, NamedTuple

import httpx
import pytest
from aiohttp import web
from replicate.webhook import Webhooks, WebhookSigningSecret

from tests.serving import Process, process
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)

COUNT = 200
WORDS = 30
MODEL = f"demo=scripted:?token_ms=60&tokens={WORDS}"
PREDICTIONS = "/replicate/v1/models/hearth/demo/predictions"
SEED = 20261121


class Heard(NamedTuple):
    """One call of a webhook, and what was answered."""

    headers: dict[str, str]
    body: bytes
    answered: int

    @property
    def said(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


class Receiver:
    """Whoever wants to hear of predictions, and fails at random."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: dict[str, list[Heard]] = defaultdict(list)
        self._random = random.Random(SEED)

    async def hear(self, request: web.Request) -> web.Response:
        body = await request.read()
        chance = self._random.random()
        answered = 200 if chance < 0.75 else 500
        self.heard[request.match_info["name"]].append(Heard(dict(request.headers), body, answered))
        if chance > 0.9:
            # They go without a word.
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=answered)

    def know(self, name: str) -> bool:
        """Whether that one's end was heard."""
        return any(each.answered == 200 and each.said["status"] == "succeeded" for each in self.heard[name])


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/{name}", receiver.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
def replicas(redis_url: str) -> Iterator[list[Process]]:
    words = ("--model", MODEL, "--redis-url", redis_url, "--lease-s", "1", "--private-networks", "127.0.0.0/8")
    with ExitStack() as stack:
        yield [stack.enter_context(process(*words)) for _ in range(2)]


async def test_every_end_is_heard_though_receivers_fail_and_a_replica_is_killed(replicas: list[Process]) -> None:
    one, two = replicas
    async with receiving() as receiver, httpx.AsyncClient(timeout=30) as client:

        async def begin(at: int) -> tuple[str, str]:
            body = {"input": {"prompt": f"number {at}"}, "webhook": f"{receiver.url}/{at}"}
            answer = await client.post(f"{(one, two)[at % 2].url}{PREDICTIONS}", json=body)
            assert answer.status_code == 201, answer.text
            told = answer.json()
            assert (told["status"], told["output"]) == ("starting", None)
            return str(at), told["id"]

        begun = dict(await asyncio.gather(*map(begin, range(COUNT))))
        await until(lambda: len(receiver.heard) > COUNT / 2, 30)
        os.kill(one.pid, signal.SIGKILL)
        await until(lambda: all(map(receiver.know, begun)), 90)

        secret = (await client.get(f"{two.url}/replicate/v1/webhooks/default/secret")).json()["key"]
        for name, id in begun.items():
            calls = receiver.heard[name]
            for call in calls:
                Webhooks.validate(
                    headers=call.headers, body=call.body.decode(), secret=WebhookSigningSecret(key=secret)
                )
            said = [call.said for call in calls]
            assert {each["id"] for each in said} == {id}
            ended = [each["status"] == "succeeded" for each in said]
            assert ended == sorted(ended), "nothing comes after the end"
            lengths = [len(each["output"] or []) for each in said]
            assert lengths == sorted(lengths), "what was told only grows"
            assert lengths[-1] == WORDS
            shown = (await client.get(f"{two.url}/replicate/v1/predictions/{id}")).json()
            assert said[-1] == shown


async def test_who_waits_is_answered_in_time_under_load_and_never_with_a_part(replicas: list[Process]) -> None:
    one, _ = replicas
    clock = asyncio.get_running_loop().time
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=COUNT)) as client:

        async def ask(at: int, seconds: int) -> tuple[float, dict[str, Any]]:
            began = clock()
            body = {"input": {"prompt": f"in time {at}"}}
            answer = await client.post(f"{one.url}{PREDICTIONS}", json=body, headers={"prefer": f"wait={seconds}"})
            return clock() - began, answer.json()

        for seconds, count in ((1, 16), (5, 64)):
            for took, told in await asyncio.gather(*(ask(at, seconds) for at in range(count))):
                assert took < seconds
                assert (told["status"], len(told["output"] or ())) in (("starting", 0), ("succeeded", WORDS))
