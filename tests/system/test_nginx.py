"""Behind nginx with default buffering and gzip on, events arrive as the engine gives them."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from typing import NamedTuple

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.nginx_server import bare, nginx, shown
from tests.serving import Served, serving

TOKENS = 40
TOKEN_S = 0.03
ASK = {"model": "demo", "messages": [{"role": "user", "content": "once"}]}

Arrivals = list[float]
Way = Callable[[str, str], Awaitable[Arrivals]]
"""Reads a stream by one server's address, started by another's; when each token arrived."""


class Doors(NamedTuple):
    """One server, seen directly and through two nginx: with the least one can write, and with what we advise."""

    direct: str
    bare: str
    shown: str


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(f"demo=scripted:?tokens={TOKENS}&token_ms={TOKEN_S * 1000}&prefill_ms=200") as served:
        yield served


@pytest.fixture
async def doors(served: Served) -> AsyncIterator[Doors]:
    with nginx(bare(served.url)) as least, nginx(shown(served.url, served.url)) as advised:
        yield Doors(served.url, least, advised)


def client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=30, headers={"accept-encoding": "gzip"})


async def data_lines(response: httpx.Response) -> AsyncIterator[str]:
    """Each line of data as it arrives, unpacked as a browser does it."""
    assert response.status_code == 200
    rest = b""
    async for piece in response.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data: "):
                yield line.removeprefix(b"data: ").decode()


async def started(url: str) -> str:
    async with client(url) as asking:
        return str((await asking.post("/v1/streams", json=ASK)).json()["id"])


async def native(url: str, id: str) -> Arrivals:
    times: Arrivals = []
    async with client(url) as reading, reading.stream("GET", f"/v1/streams/{id}") as response:
        async for data in data_lines(response):
            times += [clock()] * json.loads(data)["n"] if '"d":' in data else []
    return times


async def socket(url: str, id: str) -> Arrivals:
    times: Arrivals = []
    async with connect(url.replace("http", "ws") + "/v1/ws") as talk:
        await talk.send(json.dumps({"t": "attach", "id": "a", "generation": id}))
        async for message in talk:
            frame = json.loads(message)
            if frame["t"] == "delta":
                times += [clock()] * frame["n"]
            elif frame["t"] == "end":
                break
    return times


async def openai(url: str, direct: str) -> tuple[Arrivals, Arrivals]:
    """An OpenAI stream by one address, and beside it the same generation read directly."""
    times: Arrivals = []
    body = ASK | {"stream": True}
    async with client(url) as asking, asking.stream("POST", "/v1/chat/completions", json=body) as response:
        beside = asyncio.create_task(native(direct, response.headers["x-generation-id"]))
        async for data in data_lines(response):
            if data != "[DONE]" and json.loads(data)["choices"][0]["delta"].get("content"):
                times.append(clock())
    return times, await beside


def clock() -> float:
    return asyncio.get_running_loop().time()


def bursts(arrivals: Arrivals) -> int:
    """How many tokens came with the one before, rather than a token's time after it."""
    return sum(later - earlier < TOKEN_S / 5 for earlier, later in pairwise(arrivals))


def check_alike(through: Arrivals, direct: Arrivals) -> None:
    """Machines hiccup, and then both readers see it: what nginx adds is the difference."""
    assert len(through) == len(direct) == TOKENS
    gaps = [statistics.median(b - a for a, b in pairwise(arrivals)) for arrivals in (through, direct)]
    assert gaps[0] == pytest.approx(gaps[1], rel=0.2)
    assert bursts(through) <= bursts(direct) + 3
    lags = [there - here for there, here in zip(through, direct, strict=True)]
    assert statistics.median(lags) < TOKEN_S / 3


@pytest.mark.parametrize("door", ["bare", "shown"])
async def test_native_events_come_as_the_engine_gives_them(doors: Doors, door: str) -> None:
    through = getattr(doors, door)
    id = await started(through)
    check_alike(*await asyncio.gather(native(through, id), native(doors.direct, id)))


@pytest.mark.parametrize("door", ["bare", "shown"])
async def test_openai_chunks_come_as_the_engine_gives_them(doors: Doors, door: str) -> None:
    check_alike(*await openai(getattr(doors, door), doors.direct))


async def test_a_websocket_passes_the_advised_nginx_frame_by_frame(doors: Doors) -> None:
    id = await started(doors.shown)
    check_alike(*await asyncio.gather(socket(doors.shown, id), native(doors.direct, id)))


async def test_this_nginx_does_hold_back_what_does_not_forbid_it(served: Served) -> None:
    """The other tests prove something: with our header ignored, the events come in heaps."""
    site = bare(served.url).replace("{ proxy_pass", "{ proxy_ignore_headers X-Accel-Buffering; proxy_pass")
    with nginx(site) as packing:
        id = await started(packing)
        direct = asyncio.create_task(native(served.url, id))
        times: Arrivals = []
        async with client(packing) as reading, reading.stream("GET", f"/v1/streams/{id}") as response:
            async for _ in response.aiter_bytes():
                times.append(clock())
        assert len(times) < TOKENS / 5 and bursts(await direct) < TOKENS / 5


async def test_this_nginx_packs_what_it_can(doors: Doors) -> None:
    """Streams too: it flushes after each event. That is its right, for a browser sees no difference."""
    id = await started(doors.bare)
    async with client(doors.bare) as asking:
        for path in ("/v1/models", f"/v1/streams/{id}"):
            assert (await asking.get(path)).headers["content-encoding"] == "gzip"


async def test_a_page_of_the_address_that_nginx_has_may_ask(doors: Doors) -> None:
    async with client(doors.shown) as asking:
        assert (await asking.post("/v1/streams", json=ASK, headers={"origin": doors.shown})).status_code == 201
        refused = await asking.post("/v1/streams", json=ASK, headers={"origin": "http://elsewhere.example"})
        assert refused.json()["error"]["code"] == "foreign_origin"


async def test_metrics_are_not_shown_to_the_world(doors: Doors) -> None:
    async with client(doors.shown) as asking:
        assert (await asking.get("/metrics")).status_code == 404
