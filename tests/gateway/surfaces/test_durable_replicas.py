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


async def whole(client: httpx.AsyncClient, path: str, last: str) -> str:
    """All of the stream, seen by who knows where it ends."""
    assert (await client.get(path, params={"offset": last})).status_code == 200
    return (await client.get(path)).text


async def answered(client: httpx.AsyncClient, path: str, status: int) -> str:
    """What is read when the status is that, soon."""
    async with asyncio.timeout(5):
        while (answer := await client.get(path)).status_code != status:
            pass
    return answer.text


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
        assert await whole(client, path, again.headers[NEXT]) == "".join(f"{seq} " for seq in range(20))


async def test_writes_at_once_are_all_there(replicas: Replicas) -> None:
    _, here, there, path = replicas

    async def write(client: httpx.AsyncClient, word: str) -> str:
        # Who was fenced off too often is told to try again.
        while (answer := await client.post(path, headers=TEXT, content=word)).status_code != 204:
            assert answer.json()["error"]["retry"], answer.text
        return answer.headers[NEXT]

    words = [f"<{n}>" for n in range(40)]
    ends = await asyncio.gather(*(write((here, there)[n % 2], word) for n, word in enumerate(words)))
    written = await whole(there, path, max(ends))
    assert sorted(written.replace(">", "> ").split()) == sorted(words)
    assert await whole(here, path, max(ends)) == written


async def test_what_was_written_here_is_there_for_who_comes_with_its_place(replicas: Replicas) -> None:
    _, here, there, path = replicas
    await there.get(path)
    for n in range(20):
        before = (await here.head(path)).headers[NEXT]
        after = (await here.post(path, headers=TEXT, content=b"%d" % n)).headers[NEXT]
        # Whoever knows of it finds it, and after that everybody does.
        rest = await there.get(path, params={"offset": after})
        assert (rest.status_code, rest.text, rest.headers["stream-up-to-date"]) == (200, "", "true")
        answer = await there.get(path, params={"offset": before})
        assert (answer.status_code, answer.text, answer.headers[NEXT]) == (200, str(n), after)


@pytest.mark.parametrize("live", ["long-poll", "sse"])
async def test_who_waits_there_hears_what_is_written_here(replicas: Replicas, live: str) -> None:
    servers, here, there, path = replicas
    waiting = asyncio.create_task(there.get(path, params={"offset": "-1", "live": live}))
    await until(lambda: servers[1].gateway.readers == 1)
    await here.post(path, headers={**TEXT, "stream-closed": "true"}, content=b"news")
    async with asyncio.timeout(10):
        assert "news" in (await waiting).text
    assert (await there.head(path)).headers["stream-closed"] == "true"


async def test_a_waiting_reader_whose_log_is_lost_is_told(replicas: Replicas) -> None:
    servers, _, there, path = replicas
    waiting = asyncio.create_task(there.get(path, params={"offset": "-1", "live": "long-poll"}))
    await until(lambda: servers[1].gateway.readers == 1)
    [reader] = servers[1].gateway._readers
    reader.log.lose("log_unavailable")
    answer = await waiting
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")


async def test_what_was_deleted_here_is_gone_there_and_may_be_made_anew(replicas: Replicas) -> None:
    _, here, there, path = replicas
    old = (await there.post(path, headers=TEXT, content=b"old")).headers[NEXT]
    assert (await here.delete(path)).status_code == 204
    await answered(there, path, 404)
    assert (await there.post(path, headers=TEXT, content=b"late")).status_code == 404
    assert (await there.put(path, headers=TEXT, content=b"new")).status_code == 201
    # What has ended is asked for again after a second.
    assert await answered(here, path, 200) == "new"
    assert (await here.get(path, params={"offset": old})).status_code == 409
