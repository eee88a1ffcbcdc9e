"""A model on Replicate behind the whole server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.tables import ModelTable
from tests.engines.replicate.published import LLAMA
from tests.engines.replicate.stand_in import TOKEN, StandIn, problem, standing_in
from tests.gateway.surfaces.house import house
from tests.serving import serving
from tests.waiting import until


@pytest.fixture
async def platform() -> AsyncIterator[StandIn]:
    async with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
async def client(platform: StandIn) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server with that model, which boots with the first request."""
    model = f"llama=replicate:{LLAMA}?url={platform.url}/v1"
    async with (
        serving(model, preload=False, replicate_api_token=SecretStr(TOKEN)) as served,
        httpx.AsyncClient(base_url=served.url, timeout=20) as client,
    ):
        yield client


def asking(**more: object) -> dict[str, object]:
    return {"model": "llama", "messages": [{"role": "user", "content": "a fox"}], **more}


async def test_a_cold_model_boots_and_answers(client: httpx.AsyncClient, platform: StandIn) -> None:
    platform.warm.clear()
    answering = asyncio.create_task(client.post("/v1/chat/completions", json=asking(max_tokens=3)))
    await until(lambda: len(platform.predictions) == 1)
    platform.warm.set()
    told = (await answering).json()
    assert told["choices"][0]["finish_reason"] == "length"
    assert told["choices"][0]["message"]["content"].endswith(".2")


async def test_a_model_that_went_cold_unseen_is_booted_under_the_request(
    client: httpx.AsyncClient, platform: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.post("/v1/chat/completions", json=asking(max_tokens=1))
    monkeypatch.setattr("engines.replicate.engine._COLD_S", 0.3)
    platform.warm.clear()
    answering = asyncio.create_task(client.post("/v1/chat/completions", json=asking(max_tokens=3)))
    # The answer that waited in vain, and the boot that comes of it.
    await until(lambda: len(platform.predictions) == 4)
    platform.warm.set()
    told = (await answering).json()
    assert told["choices"][0]["message"]["content"].endswith(".2")
    assert [running.status for running in platform.predictions[2:]] == ["aborted", "succeeded", "succeeded"]


async def test_a_client_that_leaves_has_its_prediction_canceled(client: httpx.AsyncClient, platform: StandIn) -> None:
    platform.endless = True
    async with client.stream("POST", "/v1/chat/completions", json=asking(max_tokens=2, stream=True)) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: ") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
                break
    await until(lambda: platform.predictions[-1].status == "canceled")


async def test_waiting_is_not_paid_for_and_what_ran_is(tmp_path: Path, platform: StandIn) -> None:
    priced: Any = {"llama": ModelTable.model_validate({"price_per_second": 1000.0, "cache": "off"})}
    model = f"llama=replicate:{LLAMA}?url={platform.url}/v1"
    async with house(tmp_path, model, model=priced, replicate_api_token=SecretStr(TOKEN)) as here:
        await here.ask("POST", "/v1/chat/completions", json=asking(max_tokens=1))

        async def spent(outcome: str) -> float:
            """Seconds of compute that the runs of that outcome are charged for."""
            async with asyncio.timeout(10):
                while True:
                    rows = (await here.ask("GET", "/admin/usage?by=outcome")).json()["data"]
                    for row in rows:
                        if row["outcome"] == outcome:
                            assert float(row["cost"]) == pytest.approx(1000 * row["engine_seconds"])
                            return float(row["engine_seconds"])

        told = platform.predictions[-1].metrics["predict_time"]
        assert await spent("finished") == pytest.approx(told, abs=0.001)
        platform.warm.clear()
        with pytest.raises(httpx.ReadTimeout):
            await here.ask("POST", "/v1/chat/completions", json=asking(max_tokens=2), timeout=0.3)
        assert await spent("canceled:abandoned") == 0
        await until(lambda: platform.predictions[-1].status == "aborted")
        platform.warm.set()
        platform.endless = True
        with pytest.raises(httpx.ReadTimeout):
            await here.ask("POST", "/v1/chat/completions", json=asking(max_tokens=2), timeout=0.5)
        await until(lambda: platform.predictions[-1].status == "canceled")
        told = platform.predictions[-1].metrics["predict_time"]
        async with asyncio.timeout(10):
            while not (ran := await spent("canceled:abandoned")):
                pass
        assert 0 < ran < told + 0.2


async def test_what_the_model_does_not_take_is_a_400_that_names_it(
    client: httpx.AsyncClient, platform: StandIn
) -> None:
    for _ in range(2):
        # First by the engine, which learns at its boot what the model takes; then before anything is begun.
        refused = await client.post("/v1/chat/completions", json=asking(logit_bias={"1": 2}))
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "logit_bias")
    assert len(platform.predictions) == 1


async def test_an_account_without_credit_is_told_and_the_token_is_not(
    client: httpx.AsyncClient, platform: StandIn
) -> None:
    await client.post("/v1/chat/completions", json=asking(max_tokens=1))
    platform.refusals.append(problem(402, "Insufficient credit", f"No credit behind {TOKEN}."))
    refused = await client.post("/v1/chat/completions", json=asking(max_tokens=1))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "upstream_budget")
    assert TOKEN not in refused.text


async def test_a_busy_platform_is_an_engine_that_is_busy(client: httpx.AsyncClient, platform: StandIn) -> None:
    await client.post("/v1/chat/completions", json=asking(max_tokens=1))
    platform.refusals.append(problem(429, "", "Request was throttled.", {"Retry-After": "30"}))
    refused = await client.post("/v1/chat/completions", json=asking(max_tokens=1))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "engine_busy")
