"""What the people who run it are told."""

from __future__ import annotations

import httpx
import pytest

from engines.base import State
from tests.serving import Served, serving
from tests.waiting import until


async def get(served: Served, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=served.url, timeout=10) as client:
        return await client.get(path)


@pytest.mark.parametrize(
    ("model", "state", "status"),
    [
        ("demo=scripted:", State.WARM, 200),
        ("demo=scripted:?boot_ms=60000", State.BOOTING, 503),
        ("demo=scripted:?boot_fails=true", State.BROKEN, 503),
    ],
)
async def test_readiness_is_told_with_each_models_state(model: str, state: State, status: int) -> None:
    async with serving(model) as served:
        await until(lambda: served.gateway.pool.seats["demo"].state is state)
        assert (await get(served, "/healthz")).status_code == 200
        answer = await get(served, "/readyz")
        assert answer.status_code == status
        assert answer.json()["models"]["demo"]["state"] == state


async def test_a_model_that_boots_with_its_first_request_leaves_the_server_ready() -> None:
    async with serving("demo=scripted:", preload=False) as served:
        answer = await get(served, "/readyz")
        assert answer.status_code == 200
        assert answer.json()["models"]["demo"]["state"] == "cold"
        body = {"model": "demo", "messages": [{"role": "user", "content": "x"}]}
        async with httpx.AsyncClient(base_url=served.url, timeout=10) as client:
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
        assert (await get(served, "/readyz")).json()["models"]["demo"]["state"] == "warm"


async def test_a_server_that_goes_down_is_not_ready() -> None:
    async with serving("demo=scripted:") as served:
        await served.gateway.drain(0)
        answer = await get(served, "/readyz")
        assert answer.status_code == 503
        assert answer.json()["draining"] is True


async def test_metrics_count_what_was_done() -> None:
    async with serving("demo=scripted:?tokens=3") as served:
        body = {"model": "demo", "messages": [{"role": "user", "content": "one two"}]}
        async with httpx.AsyncClient(base_url=served.url, timeout=10) as client:
            await client.post("/v1/chat/completions", json=body)
            text = (await client.get("/metrics")).text
    assert 'hearth_generations_started_total{model="demo",surface="chat"} 1.0' in text
    assert 'hearth_generations_ended_total{model="demo",state="finished"} 1.0' in text
    assert 'hearth_prompt_tokens_total{model="demo"} 2.0' in text
    assert 'hearth_generated_tokens_total{model="demo"} 3.0' in text
    assert 'hearth_model_state{model="demo",state="warm"} 1.0' in text
    assert "hearth_running_generations 0.0" in text
