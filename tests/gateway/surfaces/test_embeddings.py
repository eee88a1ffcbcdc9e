"""`/v1/embeddings`, for the official SDK and for whoever is less polite."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from tests.gateway.surfaces.raw import engine_of, line
from tests.serving import Served, serving
from tests.waiting import until

MODELS = ("vectors=scripted:?embeds=true&dimensions=16&context_length=50", "demo=scripted:?tokens=3")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(*MODELS) as server:
        yield server


@pytest.fixture
async def sdk(served: Served) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=20) as client:
        yield client


async def test_the_sdk_has_its_vectors(sdk: AsyncOpenAI) -> None:
    # It asks for base64 unless it is told otherwise, and unpacks that by itself.
    answer = await sdk.embeddings.create(model="vectors", input=["a fox", "an owl in the snow"])
    plain = await sdk.embeddings.create(model="vectors", input=["a fox", "an owl in the snow"], encoding_format="float")
    assert [entry.index for entry in answer.data] == [0, 1]
    assert answer.model == "vectors"
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 7
    for entry, same in zip(answer.data, plain.data, strict=True):
        assert math.hypot(*entry.embedding) == pytest.approx(1, abs=1e-6)
        assert entry.embedding == pytest.approx(same.embedding)


async def test_tokens_and_fewer_dimensions(sdk: AsyncOpenAI) -> None:
    answer = await sdk.embeddings.create(model="vectors", input=[[5, 6], [7]], dimensions=4)
    assert [len(entry.embedding) for entry in answer.data] == [4, 4]


async def test_a_cold_model_boots_with_the_call() -> None:
    async with serving(*MODELS, preload=False) as server, httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.post("/v1/embeddings", json={"model": "vectors", "input": "a fox"})
        assert answer.status_code == 200


async def test_every_answer_has_the_name_of_its_request(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, headers={"x-request-id": "mine"}) as client:
        for body, status in (({"model": "vectors", "input": "x"}, 200), ({"model": "vectors"}, 400)):
            answer = await client.post("/v1/embeddings", json=body)
            assert (answer.status_code, answer.headers["x-request-id"]) == (status, "mine")


async def test_a_text_that_is_too_long_is_the_callers_fault(sdk: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await sdk.embeddings.create(model="vectors", input="fox " * 51)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input")


async def test_each_kind_of_model_says_what_it_is_not_for(sdk: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="no embeddings"):
        await sdk.embeddings.create(model="demo", input="a fox")
    with pytest.raises(openai.BadRequestError, match="/v1/embeddings"):
        await sdk.chat.completions.create(model="vectors", messages=[{"role": "user", "content": "hello"}])
    with pytest.raises(openai.NotFoundError):
        await sdk.embeddings.create(model="nobody", input="a fox")


async def test_who_leaves_stops_the_engine() -> None:
    async with serving("vectors=scripted:?embeds=true&prefill_ms=600000") as server:
        engine = engine_of(server, "vectors")
        async with line(server) as connection:
            await connection.post({"model": "vectors", "input": "a fox"}, "/v1/embeddings")
            await until(lambda: engine.running == 1)
            connection.drop()
            await until(lambda: engine.running == 0)
        assert len(engine.aborted) == 1
