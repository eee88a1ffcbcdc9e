"""The engine for models on Replicate, and the surface that speaks like Replicate, understand each other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.serving import serving

CHAT = {"model": "far", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Asks a Hearth whose one model is another Hearth's."""
    async with (
        serving("demo=scripted:?token_ms=1&tokens=12") as behind,
        serving(f"far=replicate:hearth/demo?url={behind.url}/replicate/v1", replicate_api_token="any") as front,
        httpx.AsyncClient(base_url=front.url, timeout=30) as client,
    ):
        yield client


async def test_a_chat_is_answered_through_both(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/chat/completions", json=CHAT)).json()
    assert len(answer["choices"][0]["message"]["content"].split()) == 12
    assert answer["usage"]["completion_tokens"] == 12


async def test_so_is_a_prediction(client: httpx.AsyncClient) -> None:
    body = {"input": {"prompt": "hi"}}
    answer = await client.post("/replicate/v1/models/hearth/far/predictions", json=body, headers={"prefer": "wait"})
    told = answer.json()
    assert (told["status"], len("".join(told["output"]).split())) == ("succeeded", 12)
    assert told["metrics"]["output_token_count"] == 12
