"""Remote streams on two servers that share a Redis: any of them takes the next write, and any of them is read from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from secrets import token_hex
from typing import NamedTuple

import httpx
import pytest

from tests.serving import Served, serving
from tests.waiting import until

TEXT = {"content-type": "text/plain"}
NEXT = "stream-next-offset"


class Replicas(NamedTuple):
    """Two servers, a client of each, and a stream that they have in common."""

    servers: tuple[Served, Served]
    here: httpx.AsyncClient
    there: httpx.AsyncClient
    path: str


@pytest.fixture
async def replicas(redis_url: str) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(serving(redis_url=redis_url, durable_writes=True, keep_alive_s=5))
            for _ in range(2)
        ]
        here, there = [await stack.enter_async_context(httpx.AsyncClient(base_url=each.url)) for each in servers]
        path = f"/v1/streams/{token_hex(8)}"
        assert (await here.put(path, headers=TEXT)).status_code == 201
        yield Replicas((servers[0], servers[1]), here, there, path)


async def test_writes_may_alternate_and_each_is_there_once(replicas: Replicas) -> None:
    _, here, there, path = replicas
    for seq in range(20):
        producer = {**TEXT, "producer-id": "p", "producer-epoch": "0", "producer-seq": str(seq)}
        first, second = (here, there) if seq % 3 else (there, here)
        written = await first.post(path, headers=producer, content=b"%d " % seq)
        again = await second.post(path, headers=producer, content=b"%d " % seq)
        assert (written.status_code, again.status_code) == (200, 204), seq
        assert again.headers[NEXT] == written.headers[NEXT]
    for client in (here, there):
        assert (await client.get(path)).text == "".join(f"{seq} " for seq in range(20))


async def test_writes_at_once_are_all_there(replicas: Replicas) -> None:
    _, here, there, path = replicas

    async def write(client: httpx.AsyncClient, word: str) -> None:
        # Who was fenced off too often is told to try again.
        while (answer := await client.post(path, headers=TEXT, content=word)).status_code != 204:
            assert answer.json()["error"]["retry"], answer.text

    words = [f"<{n}>" for n in range(40)]
    await asyncio.gather(*(write((here, there)[n % 2], word) for n, word in enumerate(words)))
    whole = (await there.get(path)).text
    assert sorted(whole.replace(">", "> ").split()) == sorted(words)
    assert (await here.get(path)).text == whole


async def test_what_was_written_here_is_read_there_at_once_from_where_it_began(replicas: Replicas) -> None:
    _, here, there, path = replicas
    await there.get(path)
    for n in range(20):
        before = (await here.head(path)).headers[NEXT]
        after = (await here.post(path, headers=TEXT, content=b"%d" % n)).headers[NEXT]
        answer = await there.get(path, params={"offset": before})
        assert (answer.status_code, answer.text, answer.headers[NEXT]) == (200, str(n), after)
        rest = await there.get(path, params={"offset": after})
        assert (rest.status_code, rest.text) == (200, "")


@pytest.mark.parametrize("live", ["long-poll", "sse"])
async def test_who_waits_there_hears_what_is_written_here(replicas: Replicas, live: str) -> None:
    servers, here, there, path = replicas
    waiting = asyncio.create_task(there.get(path, params={"offset": "-1", "live": live}))
    await until(lambda: servers[1].gateway.readers == 1)
    await here.post(path, headers={**TEXT, "stream-closed": "true"}, content=b"news")
    async with asyncio.timeout(10):
        assert "news" in (await waiting).text
    assert (await there.head(path)).headers["stream-closed"] == "true"


async def test_what_was_deleted_here_is_gone_there_and_may_be_made_anew(replicas: Replicas) -> None:
    _, here, there, path = replicas
    old = (await there.post(path, headers=TEXT, content=b"old")).headers[NEXT]
    assert (await here.delete(path)).status_code == 204
    assert (await there.get(path)).status_code == 404
    assert (await there.post(path, headers=TEXT, content=b"late")).status_code == 404
    assert (await there.put(path, headers=TEXT, content=b"new")).status_code == 201
    assert (await here.get(path)).text == "new"
    assert (await here.get(path, params={"offset": old})).status_code == 409
