"""/admin/usage, /admin/caps, /admin/costs, /admin/budgets: what runs cost, end to end."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.tables import ModelTable
from tests.gateway.surfaces.house import House, house

MODEL = "demo=scripted:?tokens=24"
PRICED: Any = {"demo": ModelTable.model_validate({"price_per_million_output": 1000.0, "cache": "off"})}
PATHS = ("/admin/usage", "/admin/caps", "/admin/costs", "/admin/budgets")


async def chat(here: House, key: str | None, text: str = "hi", **more: Any) -> httpx.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": text}], **more}
    return await here.ask("POST", "/v1/chat/completions", key, json=body)


async def told(here: House, path: str) -> Any:
    answer = await here.ask("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def soon(here: House, path: str, count: Callable[[Any], int], wanted: int = 1) -> Any:
    """What is told when that much is written: within a second."""
    async with asyncio.timeout(10):
        while count(answer := await told(here, path)) < wanted:
            pass
    return answer


def calls(answer: Any) -> int:
    return sum(row["calls"] for row in answer["data"])


async def test_a_run_stands_in_the_usage_of_its_key(tmp_path: Path) -> None:
    async with house(tmp_path, MODEL, model=PRICED) as here:
        shop = await here.key(name="shop")
        assert (await chat(here, shop["secret"])).status_code == 200
        [row] = (await soon(here, "/admin/usage?by=key,outcome", calls))["data"]
        assert (row["key"], row["name"], row["outcome"]) == (shop["id"], "shop", "finished")
        assert (row["calls"], row["completion_tokens"], row["cost"]) == (1, 24, "0.024")
        [row] = (await told(here, "/admin/usage?since=1d"))["data"]
        assert row["model"] == "demo"
        assert (await told(here, "/admin/usage?until=2020-01-01&since=2019-01-01"))["data"] == []
        answer = await here.ask("GET", "/admin/usage?by=model&format=csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert [row["cost"] for row in csv.DictReader(io.StringIO(answer.text))] == ["0.024"]
        costs = await told(here, "/admin/costs?own_gpu_per_hour=2.5")
        assert (costs["cost"], costs["runs"], costs["own"]["pays"]) == ("0.024", 1, False)
        metrics = (await here.ask("GET", "/metrics")).text
        assert 'hearth_cost_total{model="demo"} 0.024' in metrics


async def test_a_budget_is_shown_kept_and_refused_with_what_would_fit(tmp_path: Path) -> None:
    async with house(tmp_path, MODEL, model=PRICED) as here:
        shop = await here.key(name="shop", budget={"amount": 0.1, "period": "total"})
        first = await chat(here, shop["secret"], max_tokens=100)
        assert first.status_code == 200 and first.headers["x-budget-remaining"] == "0"
        refused = await chat(here, shop["secret"], max_tokens=90)
        assert refused.status_code == 402 and refused.headers["x-budget-remaining"] == "0.076"
        error = refused.json()["error"]
        assert (error["code"], error["type"], error["max_tokens"]) == ("budget_exceeded", "insufficient_quota", 76)
        assert error["message"] == "This key has 0.076 left of 0.1; this may cost 0.09. A max_tokens of 76 would fit."
        assert (await chat(here, shop["secret"], max_tokens=76)).status_code == 200
        [budget] = (await told(here, "/admin/budgets"))["data"]
        assert budget == {
            "key": shop["id"],
            "name": "shop",
            "period": "total",
            "ends": None,
            "limit": "0.1",
            "spent": "0.048",
            "reserved": "0",
            "left": "0.052",
        }


async def test_a_stream_that_is_refused_is_told_by_the_status(tmp_path: Path) -> None:
    async with house(tmp_path, MODEL, model=PRICED) as here:
        shop = await here.key(budget={"amount": 0.01})
        answer = await chat(here, shop["secret"], max_tokens=100, stream=True)
        assert answer.status_code == 402
        answer = await here.ask(
            "POST", "/v1/streams", shop["secret"], json={"model": "demo", "prompt": "hi", "max_tokens": 100}
        )
        assert answer.status_code == 402


async def test_what_is_stopped_gives_back_what_it_did_not_use(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:?tokens=1000&token_ms=1000", model=PRICED) as here:
        shop = await here.key(budget={"amount": 1})
        body = {"model": "demo", "prompt": "hi", "max_tokens": 600}
        id = (await here.ask("POST", "/v1/streams", shop["secret"], json=body)).json()["id"]
        [budget] = (await told(here, "/admin/budgets"))["data"]
        assert (budget["reserved"], budget["left"]) == ("0.6", "0.4")
        assert (await here.ask("POST", "/v1/streams", shop["secret"], json=body)).status_code == 402
        await here.ask("DELETE", f"/v1/streams/{id}", shop["secret"])
        [row] = (await soon(here, "/admin/usage?by=outcome", calls))["data"]
        assert row["outcome"] == "canceled:caller"
        [budget] = (await told(here, "/admin/budgets"))["data"]
        assert budget["reserved"] == "0" and budget["spent"] == row["cost"]


async def test_an_answer_that_is_given_again_is_free_and_noted(tmp_path: Path) -> None:
    priced: Any = {"demo": PRICED["demo"].model_copy(update={"cache": "all"})}
    async with house(tmp_path, MODEL, model=priced) as here:
        shop = await here.key(budget={"amount": 0.1, "period": "total"})
        answers = [await chat(here, shop["secret"], max_tokens=100) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert [answer.headers["x-budget-remaining"] for answer in answers] == ["0", "0.076", "0.076"]
        costs = await soon(here, "/admin/costs", lambda costs: int(costs["cache"]["hit"]["calls"]), 2)
        assert costs["cache"]["hit"]["saved"] == "0.048"
        [budget] = (await told(here, "/admin/budgets"))["data"]
        assert budget["spent"] == costs["cost"] == "0.024"


async def test_a_cap_that_ends_most_answers_is_listed_with_advice(tmp_path: Path) -> None:
    async with house(tmp_path, MODEL, model=PRICED) as here:
        shop = await here.key()
        for number in range(20):
            await chat(here, shop["secret"], f"{number}", max_tokens=8)
        await soon(here, "/admin/usage", calls, 20)
        [row] = (await told(here, "/admin/caps"))["data"]
        assert (row["key"], row["max_tokens"], row["runs"]) == (shop["id"], 8, 20)
        assert row["advice"] == "cap 8, ends 100% of answers"


async def test_only_an_admin_key_sees_any_of_it(tmp_path: Path) -> None:
    async with house(tmp_path, MODEL) as here:
        made = await here.key()
        for path in PATHS:
            answer = await here.ask("GET", path, made["secret"])
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
            assert (await here.ask("GET", path, None)).status_code == 401


@pytest.mark.parametrize(
    "query",
    ["by=colour", "by=day,day", "by=", "since=yesterday", "until=2026-13-01", "format=xml"],
)
async def test_what_makes_no_sense_is_refused_by_its_name(tmp_path: Path, query: str) -> None:
    async with house(tmp_path, MODEL) as here:
        answer = await here.ask("GET", f"/admin/usage?{query}")
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == query.partition("=")[0]


@pytest.mark.parametrize("path", ["/admin/usage", "/admin/costs"])
async def test_days_that_end_before_they_begin_are_refused(tmp_path: Path, path: str) -> None:
    async with house(tmp_path, MODEL) as here:
        answer = await here.ask("GET", f"{path}?since=2026-11-30&until=2026-11-01")
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == "`since` 2026-11-30 is after `until` 2026-11-01."
        assert (await here.ask("GET", f"{path}?since=2026-11-30&until=2026-11-30")).status_code == 200


@pytest.mark.parametrize("price", ["free", "0", "-1", "nan", "inf"])
async def test_a_price_is_a_number_above_nothing(tmp_path: Path, price: str) -> None:
    async with house(tmp_path, MODEL) as here:
        answer = await here.ask("GET", f"/admin/costs?own_gpu_per_hour={price}")
        assert answer.json()["error"]["param"] == "own_gpu_per_hour"
