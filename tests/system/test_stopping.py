"""However a client stops, and whenever, vLLM itself has let go within a quarter of a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.system.vllm_counts import until_vllm_holds
from tests.vllm_server import FirstLight

pytestmark = pytest.mark.timeout(240)

Stop = Callable[[], Awaitable[None]]
WITHIN_S = 0.25


def endless(model: str, content: str = "x", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}]
    return {"model": model, "messages": messages, "max_tokens": 1900, "ignore_eos": True, **more}


async def leave(served: FirstLight, body: dict[str, Any], stack: AsyncExitStack) -> Stop:
    """A client that goes away without a word."""
    client = await stack.enter_async_context(httpx.AsyncClient(base_url=served.url, timeout=60))
    asking = asyncio.create_task(client.post("/v1/chat/completions", json=body))

    async def stop() -> None:
        asking.cancel()
        await asyncio.wait([asking])

    return stop


async def leave_a_stream(served: FirstLight, body: dict[str, Any], stack: AsyncExitStack) -> Stop:
    return await leave(served, body | {"stream": True}, stack)


async def delete(served: FirstLight, body: dict[str, Any], stack: AsyncExitStack) -> Stop:
    client = await stack.enter_async_context(httpx.AsyncClient(base_url=served.url, timeout=60))
    url = (await client.post("/v1/streams", json=body)).headers["location"]

    async def stop() -> None:
        assert (await client.delete(url)).json()["state"] == "canceled"

    return stop


async def cancel_a_lane(served: FirstLight, body: dict[str, Any], stack: AsyncExitStack) -> Stop:
    socket = await stack.enter_async_context(connect(served.url.replace("http", "ws") + "/v1/ws"))
    await socket.send(json.dumps({"t": "create", "id": "a", "request": body}))

    async def stop() -> None:
        await socket.send(json.dumps({"t": "cancel", "id": "a"}))

    return stop


async def close_the_socket(served: FirstLight, body: dict[str, Any], stack: AsyncExitStack) -> Stop:
    socket = await stack.enter_async_context(connect(served.url.replace("http", "ws") + "/v1/ws"))
    await socket.send(json.dumps({"t": "create", "id": "a", "request": body}))

    async def stop() -> None:
        await socket.close()

    return stop


WAYS = [leave, leave_a_stream, delete, cancel_a_lane, close_the_socket]


@asynccontextmanager
async def watching(served: FirstLight) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
        for model in ("campfire", "narrow"):
            await until_vllm_holds(client, model, 0, 10)
        yield client


@pytest.mark.parametrize("way", WAYS)
async def test_while_it_decodes(served_vllm: FirstLight, way: Any) -> None:
    async with watching(served_vllm) as client, AsyncExitStack() as stack:
        stop = await way(served_vllm, endless("campfire"), stack)
        await until_vllm_holds(client, "campfire", 1, 10)
        await stop()
        await until_vllm_holds(client, "campfire", 0, WITHIN_S)


@pytest.mark.parametrize("way", WAYS)
async def test_while_it_reads_a_long_prompt(served_vllm: FirstLight, way: Any) -> None:
    """The stop comes as soon as the engine has the prompt; whether a token came by then is the engine's affair."""
    async with watching(served_vllm) as client, AsyncExitStack() as stack:
        body = endless("campfire", "fox " * 1500, max_tokens=400)
        stop = await way(served_vllm, body, stack)
        await asyncio.wait_for(begun(client), 10)
        await stop()
        await until_vllm_holds(client, "campfire", 0, WITHIN_S)


async def begun(client: httpx.AsyncClient) -> None:
    while "hearth_running_generations 1.0" not in (await client.get("/metrics")).text:
        pass


@pytest.mark.parametrize("way", WAYS)
async def test_while_it_waits_for_its_turn(served_vllm: FirstLight, way: Any) -> None:
    async with watching(served_vllm) as client, AsyncExitStack() as stack:
        first = await leave_a_stream(served_vllm, endless("narrow"), stack)
        await until_vllm_holds(client, "narrow", 1, 10)
        stop = await way(served_vllm, endless("narrow"), stack)
        await until_vllm_holds(client, "narrow", 2, 10)
        await stop()
        await until_vllm_holds(client, "narrow", 1, WITHIN_S)
        await first()
        await until_vllm_holds(client, "narrow", 0, WITHIN_S)
