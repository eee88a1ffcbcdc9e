"""Two replicas with one Redis, behind the nginx of the documents: what a client sees when one of them goes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import httpx
import pytest
from playwright.async_api import Page

from tests.nginx_server import nginx, shown
from tests.redis_server import redis_process
from tests.serving import Process, process

TOKENS = 100
ASK = {"model": "demo", "messages": [{"role": "user", "content": "once"}]}
RETRIES = 5


class Site(NamedTuple):
    """The address that clients know, and the replicas behind it."""

    url: str
    replicas: list[Process]


@contextmanager
def behind_nginx(redis_url: str) -> Iterator[Site]:
    with ExitStack() as stack:
        model = f"demo=scripted:?tokens={TOKENS}&token_ms=30"
        options = ["--redis-url", redis_url, "--lease-s", "2", "--drain-s", "0.5"]
        replicas = [stack.enter_context(process("--model", model, *options)) for _ in range(2)]
        yield Site(stack.enter_context(nginx(shown(*(replica.url for replica in replicas)))), replicas)


@pytest.fixture
def site(redis_url: str) -> Iterator[Site]:
    with behind_nginx(redis_url) as site:
        yield site


def client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=20)


async def started(url: str) -> str:
    async with client(url) as asking:
        answer = await asking.post("/v1/streams", json=ASK)
        assert answer.status_code == 201
        return str(answer.json()["id"])


async def frames(url: str, id: str, after: str = "") -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Events by one connection, each with its position, until it ends."""
    headers = {"last-event-id": after} if after else {}
    async with client(url) as reading, reading.stream("GET", f"/v1/streams/{id}", headers=headers) as response:
        assert response.status_code == 200
        position, event = "", ""
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                position = value
            elif name == "event":
                event = value
            elif name == "data":
                yield position, {"event": event, **json.loads(value)}


class Reader:
    """Reads as an EventSource does: back to the same address with the last position, whatever cut it off."""

    def __init__(self, url: str, id: str, position: str = "") -> None:
        self.url, self.id, self.position = url, id, position
        self.events: list[dict[str, Any]] = []
        self.connections = 0
        self.halfway = asyncio.Event()

    async def read(self) -> None:
        while not self.ended:
            self.connections += 1
            assert self.connections <= RETRIES
            try:
                async for position, event in frames(self.url, self.id, self.position):
                    if event["event"] != "cut":
                        self.position = position
                        self.events.append(event)
                        if event["o"] > TOKENS / 2:
                            self.halfway.set()
            except httpx.TransportError:
                continue

    @property
    def ended(self) -> bool:
        return bool(self.events) and self.events[-1]["event"] == "end"

    @property
    def text(self) -> str:
        return "".join(event.get("d", "") for event in self.events if event["event"] == "delta")

    def check_whole(self) -> None:
        """Nothing is missing, nothing came twice, and it ended well."""
        offset = 0
        for event in self.events:
            assert event["o"] == offset
            offset += event["n"]
        assert self.events[-1]["state"] == "finished"
        assert [word.rpartition(".")[2] for word in self.text.split()] == [str(index) for index in range(TOKENS)]


async def test_any_replica_serves_any_stream_from_any_position(site: Site) -> None:
    id = await started(site.replicas[0].url)
    whole = Reader(site.url, id)
    await whole.read()
    whole.check_whole()
    epoch, _, tail = whole.position.partition("-")
    for offset in range(0, int(tail), 10):
        # nginx takes the replicas in turn.
        later = Reader(site.url, id, f"{epoch}-{offset}")
        await later.read()
        assert later.connections == 1 and later.events[0]["o"] == offset + 1
        assert later.position == whole.position and whole.text.endswith(later.text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_readers_go_on_when_the_replica_that_writes_goes(site: Site, number: signal.Signals) -> None:
    writer = site.replicas[0]
    id = await started(writer.url)
    readers = [Reader(site.url, id) for _ in range(4)]
    reading = [asyncio.create_task(reader.read()) for reader in readers]
    await asyncio.wait_for(readers[0].halfway.wait(), 20)
    os.kill(writer.pid, number)
    await asyncio.wait_for(asyncio.gather(*reading), 30)
    for reader in readers:
        reader.check_whole()
    assert sum(reader.connections for reader in readers) > len(readers), "some were connected to the other one"


async def test_new_work_never_meets_the_replica_that_goes_down(site: Site) -> None:
    await started(site.replicas[0].url)
    os.kill(site.replicas[0].pid, signal.SIGTERM)
    done, gone = 0, False
    async with client(site.url) as asking:
        while not gone:
            answers = await asyncio.gather(*(asking.post("/v1/streams", json=ASK) for _ in range(4)))
            assert {answer.status_code for answer in answers} == {201}
            assert (await asking.get("/readyz")).status_code == 200
            done += 1
            gone = not await listens(site.replicas[0].url)
    assert done > 1


@pytest.mark.parametrize(("number", "statuses"), [(signal.SIGTERM, [200, 200]), (signal.SIGKILL, [200, 502])])
async def test_a_plain_answer_is_asked_for_again_by_nginx_if_that_was_said(
    site: Site, number: signal.Signals, statuses: list[int]
) -> None:
    async with client(site.url) as asking:
        answers = [asyncio.create_task(asking.post("/v1/chat/completions", json=ASK)) for _ in range(2)]
        for replica in site.replicas:
            await runs_one(replica.url)
        os.kill(site.replicas[0].pid, number)
        told = await asyncio.gather(*answers)
    assert sorted(answer.status_code for answer in told) == statuses
    whole = [answer.json()["usage"]["completion_tokens"] for answer in told if answer.status_code == 200]
    assert set(whole) == {TOKENS}


async def runs_one(url: str) -> None:
    async with asyncio.timeout(10), client(url) as asking:
        while "hearth_running_generations 1.0" not in (await asking.get("/metrics")).text:
            pass


async def listens(url: str) -> bool:
    try:
        async with client(url) as asking:
            await asking.get("/healthz")
    except httpx.TransportError:
        return False
    return True


EVENT_SOURCE = """
([url, halfway]) => new Promise((resolve, reject) => {
    const source = new EventSource(url), events = [];
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) reject(new Error('given up')); };
    const note = (message) => {
        const event = { event: message.type, ...JSON.parse(message.data) };
        events.push(event);
        if (event.o > halfway) document.title = 'halfway';
        if (message.type === 'end') { source.close(); resolve(events); }
    };
    for (const name of ['opened', 'progress', 'accepted', 'delta', 'note', 'end']) source.addEventListener(name, note);
})
"""


async def test_while_redis_is_away_every_stream_is_found_where_it_runs() -> None:
    with redis_process() as redis, behind_nginx(redis.url) as site:
        ids = [await started(site.url) for _ in range(4)]
        redis.kill()
        ids += [await started(site.url) for _ in range(4)]
        readers = [Reader(site.url, id) for id in ids]
        await asyncio.wait_for(asyncio.gather(*(reader.read() for reader in readers)), 30)
        for reader in readers:
            reader.check_whole()


async def test_a_browsers_own_event_source_outlives_a_replica(site: Site, page: Page) -> None:
    await page.goto(site.url + "/healthz")
    id = await started(site.replicas[0].url)
    task = asyncio.create_task(page.evaluate(EVENT_SOURCE, [f"/v1/streams/{id}", TOKENS // 2]))
    await page.wait_for_function("document.title === 'halfway'")
    os.kill(site.replicas[0].pid, signal.SIGTERM)
    reader = Reader(site.url, id)
    reader.events = await asyncio.wait_for(task, 40)
    reader.check_whole()
