"""What is counted about engines."""

from __future__ import annotations

import re

import httpx

from engines.base import State
from tests.gateway.surfaces.raw import HELLO
from tests.serving import Served, serving
from tests.waiting import until

BIG = {"model": "big", "messages": HELLO}


async def told(served: Served) -> dict[str, float]:
    """What is counted, by name and labels."""
    async with httpx.AsyncClient(base_url=served.url) as client:
        text = (await client.get("/metrics")).text
    return {name: float(value) for name, value in re.findall(r"^(hearth_.+) (\S+)$", text, re.MULTILINE)}


async def post(served: Served, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=served.url, timeout=10) as client:
        return await client.post("/v1/chat/completions", json=BIG, headers=headers)


async def test_calls_of_a_cold_model_are_counted_by_what_becomes_of_them() -> None:
    models = ("big=scripted:?boot_ms=100&tokens=2", "small=scripted:?tokens=2")
    async with serving(*models, preload=False, model={"big": {"fallback": "small"}}) as served:
        pool = served.gateway.pool
        assert (await post(served, prefer="wait=0", **{"x-no-fallback": "1"})).status_code == 503
        assert (await post(served, **{"x-no-fallback": "1"})).status_code == 200
        assert (await post(served)).status_code == 200
        counted = await told(served)
        assert counted['hearth_cold_refusals_total{model="big"}'] == 1
        assert counted['hearth_cold_wait_seconds_count{model="big"}'] == 1
        await pool.cool("big")
        pool.warm("small")
        await until(lambda: pool.seats["small"].state is State.WARM)
        assert (await post(served)).headers["x-model"] == "small"
        assert (await told(served))['hearth_fallbacks_total{fallback="small",model="big"}'] == 1


async def test_boots_are_counted_once_with_how_long_they_took() -> None:
    async with serving("demo=scripted:?boot_ms=20", "bad=scripted:?boot_fails=true") as served:
        seats = served.gateway.pool.seats
        await until(lambda: seats["demo"].state is State.WARM and seats["bad"].state is State.BROKEN)
        for _ in range(2):
            counted = await told(served)
        assert counted['hearth_boots_total{model="demo",outcome="warm"}'] == 1
        assert counted['hearth_boots_total{model="bad",outcome="broken"}'] == 1
        assert counted['hearth_boot_seconds_count{model="demo"}'] == 1
        assert counted['hearth_boot_seconds_sum{model="demo"}'] >= 0.02
        assert counted['hearth_engine_since_seconds{engine="demo",model="demo"}'] == seats["demo"].since


async def test_alarms_breakers_and_what_is_owed_are_shown() -> None:
    async with serving("demo=scripted:", "demo=scripted:") as served:
        seat = served.gateway.pool.seats["demo 2"]
        seat.alarm, seat.owed = "no token", 7
        for call in range(3):
            seat.breaker.failed(call, 0.0)
        counted = await told(served)
        labels = '{engine="demo 2",model="demo"}'
        assert counted[f"hearth_engine_alarm{labels}"] == 1
        assert counted[f"hearth_engine_breaker_open{labels}"] == 1
        assert counted[f"hearth_engine_outstanding_tokens{labels}"] == 7
        assert counted['hearth_engine_alarm{engine="demo",model="demo"}'] == 0
