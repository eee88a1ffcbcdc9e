"""A fresh server streams real vLLM tokens, from the moment it listens to the moment it is gone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect

from engines.campfire import words
from tests.serving import process
from tests.system.vllm_counts import in_vllm
from tests.vllm_server import FirstLight

pytestmark = pytest.mark.timeout(240)


def chat(content: str, **parameters: Any) -> dict[str, Any]:
    """A question that wants a run of its own, whoever asked it before."""
    body = {"model": "campfire", "messages": [{"role": "user", "content": content}], "cache": {"no-store": True}}
    return {**body, **parameters}


def test_it_listens_before_its_model_is_up(served_vllm: FirstLight) -> None:
    # Measured: 0.7 s on a quiet machine; test machines are busy.
    assert served_vllm.listening_s < 5
    assert served_vllm.health == 200
    assert served_vllm.readiness.status_code == 503
    assert served_vllm.readiness.json()["models"]["campfire"]["state"] == "booting"
    assert {model["id"]: model["state"] for model in served_vllm.models["data"]} == {
        "campfire": "booting",
        "narrow": "booting",
        "demo": "warm",
    }
    assert served_vllm.page.status_code == 200
    assert "text/html" in served_vllm.page.headers["content-type"]


def test_a_request_that_comes_while_the_model_boots_is_told_so_and_then_served(served_vllm: FirstLight) -> None:
    lines = [line for _, line in served_vllm.early if line]
    assert lines[0].startswith(": booting campfire")
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    assert "fox" in "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert lines[-1] == "data: [DONE]"


async def test_the_openai_client_streams(served_vllm: FirstLight) -> None:
    async with AsyncOpenAI(base_url=f"{served_vllm.url}/v1", api_key="none") as client:
        stream = await client.chat.completions.create(
            model="campfire",
            messages=[{"role": "user", "content": "Tell me a story about a lighthouse."}],
            stream=True,
            stream_options={"include_usage": True},
            temperature=0,
        )
        chunks = [chunk async for chunk in stream]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert "lighthouse" in text
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens > 20
        plain = await client.chat.completions.create(
            model="campfire",
            messages=[{"role": "user", "content": "Tell me a story about a lighthouse."}],
            temperature=0,
        )
        assert plain.choices[0].message.content == text
        assert plain.choices[0].finish_reason == "stop"
        assert plain.usage == chunks[-1].usage


async def test_a_websocket_streams(served_vllm: FirstLight) -> None:
    async with connect(served_vllm.url.replace("http", "ws") + "/v1/ws") as socket, asyncio.timeout(60):
        request = chat("Tell me a story about an owl.", temperature=0)
        await socket.send(json.dumps({"t": "create", "id": "a", "request": request}))
        frames: list[dict[str, Any]] = []
        while not frames or frames[-1]["t"] != "end":
            frames.append(json.loads(await socket.recv()))
    assert "owl" in "".join(frame["d"] for frame in frames if frame["t"] == "delta" and "d" in frame)
    assert frames[-1]["state"] == "finished"


async def test_sixty_four_streams_at_once_are_whole_uncrossed_and_batched(served_vllm: FirstLight) -> None:
    async with httpx.AsyncClient(base_url=served_vllm.url, timeout=120) as client:
        # Long enough that all are under way at once, however slowly this client asks.
        same = {"temperature": 0, "max_tokens": 300, "ignore_eos": True}
        topics = words.held_out_topics()[:64]
        asked = [chat(f"Tell me a story about {topic}.", **same) for topic in topics]

        async def stream(body: dict[str, Any]) -> str:
            async with client.stream("POST", "/v1/chat/completions", json=body | {"stream": True}) as response:
                lines = [line async for line in response.aiter_lines() if line]
            assert lines[-1] == "data: [DONE]"
            chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1] if line.startswith("data: ")]
            return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)

        peak = 0.0
        done = asyncio.Event()

        async def watch() -> None:
            nonlocal peak
            while not done.is_set():
                peak = max(peak, await in_vllm(client, "campfire"))

        watching = asyncio.create_task(watch())
        together = await asyncio.gather(*(stream(body) for body in asked))
        done.set()
        await watching
        assert peak >= 32
        named = [[topic for topic in topics if words.bare(topic) in text] for text in together]
        own = sum(topic in its for topic, its in zip(topics, named, strict=True))
        others = sum(its not in ([], [topic]) for topic, its in zip(topics, named, strict=True))
        assert own >= 52
        assert others == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_server(number: signal.Signals) -> None:
    with process("--model", "campfire=vllm:bundled") as server:
        family = descendants(server.pid)
        # The nursery, the host, the engine core.
        assert len(family) >= 3
        os.kill(server.pid, number)
        wait_until_gone([server.pid, *family], 30)


def test_no_process_outlives_a_server_that_is_stopped_while_its_model_boots() -> None:
    with process("--model", "campfire=vllm:bundled", ready=False) as server:
        family = descendants(server.pid)
        assert family
        os.kill(server.pid, signal.SIGINT)
        wait_until_gone([server.pid, *family], 30)


def wait_until_gone(pids: list[int], seconds: float) -> None:
    """Wait until none of these processes runs. Raises TimeoutError with those that do."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if runs(pid)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"still there: {left}")


def runs(pid: int) -> bool:
    """Whether the process is there, and not just waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return children + [below for child in children for below in descendants(child)]
