"""Heartbeats keep a model warm, and are nobody's: they cost no key anything, and no figure of callers knows them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from gateway.tables import ModelTable
from tests.gateway.surfaces.house import House, house

KEPT: Any = {
    "demo": ModelTable.model_validate(
        {
            "active_hours": ["daily 00:00-24:00"],
            "heartbeat_s": 1,
            "requests_per_minute": 1,
            "concurrent": 1,
            "max_queued": 0,
            "price_per_million_output": 1000.0,
            "price_per_second": 1.0,
            "cache": "all",
        }
    )
}


async def metric(here: House, name: str) -> float:
    """A sample of the server's own metrics; 0 where there is none."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", (await here.ask("GET", "/metrics")).text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_heartbeats_stand_in_no_spend_cache_limit_or_latency(tmp_path: Path) -> None:
    beats = 'hearth_heartbeats_total{model="demo",outcome="passed"}'
    async with house(tmp_path, "demo=scripted:?tokens=8", model=KEPT) as here:
        async with asyncio.timeout(10):
            while await metric(here, beats) < 2:
                pass
        assert (await here.ask("GET", "/admin/usage")).json()["data"] == []
        for name in (
            'hearth_cost_total{model="demo"}',
            'hearth_time_to_first_token_seconds_count{model="demo"}',
            'hearth_generation_seconds_count{model="demo"}',
            'hearth_generated_tokens_total{model="demo"}',
            'hearth_generations_ended_total{model="demo",state="finished"}',
        ):
            assert await metric(here, name) == 0, name
        assert (await here.ask("GET", "/admin/cache")).json()["entries"] == 0
        key = await here.key(name="shop")
        body = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}
        # The model takes one request a minute: no heartbeat has had it.
        answer = await here.ask("POST", "/v1/chat/completions", key["secret"], json=body)
        assert (answer.status_code, answer.headers["x-cache"]) == (200, "MISS")
        assert await metric(here, 'hearth_time_to_first_token_seconds_count{model="demo"}') == 1
