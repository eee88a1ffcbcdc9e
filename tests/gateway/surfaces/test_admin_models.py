"""/admin/models: how warm every engine is, and to have it otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from engines.base import State
from gateway.tables import ModelTable
from tests.gateway.surfaces.house import House, house
from tests.gateway.surfaces.raw import HELLO
from tests.serving import Served, serving
from tests.waiting import until

DEMO = "demo=scripted:?tokens=3"
ALWAYS: Any = {"demo": ModelTable.model_validate({"active_hours": ["daily 00:00-24:00"], "price_per_second": 2.0})}
PATHS = (("GET", "/admin/models"), ("POST", "/admin/models/demo/warm"), ("POST", "/admin/models/demo/cool"))


async def shown(here: House, model: str = "demo") -> Any:
    answer = await here.ask("GET", "/admin/models")
    assert answer.status_code == 200, answer.text
    return next(each for each in answer.json()["data"] if each["id"] == model)


def state(here: Served, engine: str = "demo") -> State:
    return here.gateway.pool.seats[engine].state


async def test_every_model_and_each_of_its_engines_is_shown(tmp_path: Path) -> None:
    async with house(tmp_path, DEMO, "org/pair=scripted:", "org/pair=scripted:", preload=False) as here:
        answer = (await here.ask("GET", "/admin/models")).json()
        assert [model["id"] for model in answer["data"]] == ["demo", "org/pair"]
        demo, pair = answer["data"]
        assert (demo["state"], demo["stage"], demo["hours"]) == ("cold", "waiting for the first request", None)
        assert answer["now"] >= demo["since"] > 0
        assert [engine["id"].partition("/")[2] for engine in pair["engines"]] == ["org/pair", "org/pair 2"]
        assert {engine["breaker"] for engine in pair["engines"]} == {"let through"}


async def test_what_it_did_and_will_do_is_told(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:?tokens=3&prefill_ms=50", model=ALWAYS) as here:
        await until(lambda: state(here) is State.WARM)
        seat = here.gateway.pool.seats["demo"]
        await here.gateway.pool.beat(seat)
        body = {"model": "demo", "messages": HELLO}
        assert (await here.ask("POST", "/v1/chat/completions", json=body)).status_code == 200
        async with asyncio.timeout(10):
            while (demo := await shown(here))["cost_today"] == "0" or demo["next"] is None:
                pass
        assert demo["hours"] == {"why": "daily 00:00-24:00 (UTC)", "open": True, "change": None}
        assert demo["next"]["why"] == "heartbeat, when nobody asks"
        [engine] = demo["engines"]
        assert (engine["boots"]["count"], engine["heartbeats"]["count"], engine["heartbeats"]["alarm"]) == (1, 1, None)
        assert engine["heartbeats"]["last"] is not None
        assert float(demo["cost_today"]) >= 0.1, "50 ms and more, at 2 a second"


async def test_who_may_not_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, DEMO) as here:
        plain = await here.key(name="shop")
        for method, path in PATHS:
            assert (await here.ask(method, path, None)).status_code == 401
            assert (await here.ask(method, path, plain["secret"])).status_code == 403
            evil = {"origin": "https://evil.example"}
            assert (await here.ask(method, path, headers=evil)).json()["error"]["code"] == "foreign_origin"
        assert state(here) is State.WARM


async def test_a_model_is_warmed_and_cooled_at_once_or_waited_for(tmp_path: Path) -> None:
    async with house(tmp_path, "org/demo=scripted:?boot_ms=50", "org/demo=scripted:", preload=False) as here:
        path = "/admin/models/org/demo"
        answer = await here.ask("POST", f"{path}/warm")
        assert (answer.status_code, answer.json()["state"], answer.json()["others_told"]) == (202, "booting", True)
        answer = await here.ask("POST", f"{path}/warm?wait=1")
        assert (answer.status_code, {engine["state"] for engine in answer.json()["engines"]}) == (200, {"warm"})
        answer = await here.ask("POST", f"{path}/cool?wait=1")
        assert (answer.status_code, {engine["state"] for engine in answer.json()["engines"]}) == (200, {"cold"})
        assert all(engine["cooled"] is not None for engine in answer.json()["engines"])
        answer = await here.ask("POST", f"{path}/cool")
        assert (answer.status_code, answer.json()["state"]) == (202, "cold")


async def test_to_wait_for_a_model_that_breaks_ends_with_its_breaking(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:?boot_fails=true", preload=False) as here:
        for _ in range(2):
            answer = await here.ask("POST", "/admin/models/demo/warm?wait=1")
            assert (answer.status_code, answer.json()["state"]) == (200, "broken")
            assert answer.json()["stage"] == "The script says that the boot fails."


async def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, DEMO) as here:
        answer = await here.ask("POST", "/admin/models/dmo/warm")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_model")
        assert "demo" in answer.json()["error"]["message"]
        for query, parameter in (("drain_s=-1", "drain_s"), ("drain_s=nan", "drain_s"), ("wait=yes", "wait")):
            answer = await here.ask("POST", f"/admin/models/demo/cool?{query}")
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, parameter)
        assert state(here) is State.WARM


async def test_a_running_answer_may_end_within_the_drain(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:?token_ms=5&tokens=40") as here:
        await until(lambda: state(here) is State.WARM)
        asked = asyncio.create_task(here.ask("POST", "/v1/chat/completions", json={"model": "demo", "messages": HELLO}))
        await until(lambda: here.gateway.pool.seats["demo"].held == 1)
        cooled = await here.ask("POST", "/admin/models/demo/cool?wait=1&drain_s=20")
        assert (cooled.status_code, cooled.json()["state"]) == (200, "cold")
        assert (await asked).json()["usage"]["completion_tokens"] == 40


async def test_an_answer_that_takes_longer_than_the_drain_is_cut_and_boots_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:?token_ms=5&tokens=100000") as here:
        await until(lambda: state(here) is State.WARM)
        body = {"model": "demo", "messages": HELLO}
        asked = asyncio.create_task(here.ask("POST", "/v1/chat/completions", json=body))
        await until(lambda: here.gateway.pool.seats["demo"].held == 1)
        await here.ask("POST", "/admin/models/demo/cool?wait=1&drain_s=0.05")
        assert (await asked).json()["error"]["code"] == "engine_died"
        assert state(here) is State.COLD
        answer = await here.ask("POST", "/v1/chat/completions", json={**body, "max_tokens": 2})
        assert answer.status_code == 200, "whoever asks next has it booted"
        assert (await shown(here))["engines"][0]["cooled"] is None


async def test_the_keeper_lets_a_cooled_model_rest_within_its_hours(tmp_path: Path) -> None:
    async with house(tmp_path, DEMO, model=ALWAYS) as here:
        await until(lambda: state(here) is State.WARM)
        await here.ask("POST", "/admin/models/demo/cool?wait=1")
        async with asyncio.timeout(10):
            while (demo := await shown(here))["next"] is None:
                pass
        assert demo["next"] == {"at": None, "why": "stopped by hand: boots with the next request"}
        assert (state(here), here.gateway.pool.seats["demo"].boots) == (State.COLD, 1)


@pytest.mark.parametrize("act", ["warm", "cool"])
async def test_an_order_to_one_replica_reaches_the_other(redis_url: str, act: str) -> None:
    wanted = State.WARM if act == "warm" else State.COLD
    async with (
        serving(DEMO, redis_url=redis_url, preload=act == "cool") as one,
        serving(DEMO, redis_url=redis_url, preload=act == "cool") as other,
        httpx.AsyncClient(base_url=one.url, timeout=30) as client,
    ):
        if act == "cool":
            await until(lambda: state(one) is state(other) is State.WARM)
        async with asyncio.timeout(10):
            while len((await client.get("/admin/models")).json()["data"][0]["engines"]) < 2:
                pass
        answer = await client.post(f"/admin/models/demo/{act}?wait=1")
        assert (answer.status_code, len(answer.json()["engines"])) == (200, 2)
        assert state(one) is state(other) is wanted
