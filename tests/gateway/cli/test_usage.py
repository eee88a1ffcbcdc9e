"""hearth usage and hearth costs."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx

from gateway.cli.costs import story
from gateway.cli.usage import table
from gateway.tables import ModelTable
from tests.gateway.cli.keyboard import hearth
from tests.gateway.surfaces.house import ADMIN, house
from tests.serving import serving

PRICED: Any = {"demo": ModelTable.model_validate({"price_per_million_output": 1000.0, "cache": "off"})}


async def test_usage_and_costs_are_told_in_lines_csv_and_json(tmp_path: Path) -> None:
    async with serving("demo=scripted:?tokens=24", state_file=tmp_path / "hearth.db", model=PRICED) as served:
        async with httpx.AsyncClient(base_url=served.url) as client:
            body = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
            async with asyncio.timeout(10):
                while not (await client.get("/admin/usage")).json()["data"]:
                    pass
        status, said, _ = await hearth("usage", "--url", served.url, "--by", "model")
        assert status == 0
        titles, line = said.splitlines()
        assert titles.split()[:3] == ["model", "calls", "prompt"] and line.split()[-1] == "0.024"
        _, said, _ = await hearth("usage", "--url", served.url, "--csv")
        assert [row["cost"] for row in csv.DictReader(io.StringIO(said))] == ["0.024"]
        _, said, _ = await hearth("usage", "--url", served.url, "--json", "--caps")
        assert [row["runs"] for row in json.loads(said)["data"]] == [1]
        _, said, _ = await hearth("costs", "--url", served.url, "--own-gpu-per-hour", "2.5")
        assert "spent    0.024 in 1 runs" in said and "your own would be dearer" in said
        status, _, told = await hearth("costs", "--url", served.url, "--own-gpu-per-hour", "nothing")
        assert status == 1 and "own_gpu_per_hour" in told


async def test_words_that_do_not_go_together_are_refused() -> None:
    for words in (
        ["--csv", "--json"],
        ["--caps", "--by", "day"],
        ["--budgets", "--by", "day"],
        ["--caps", "--budgets"],
    ):
        status, _, told = await hearth("usage", *words)
        assert status == 2 and words[0] in told


def test_a_column_with_nothing_in_it_is_left_out() -> None:
    row = {"model": "m", "calls": 2, "hits": 0, "engine_seconds": 1.25, "cost": "0.5", "unpaid": "0", "saved": "10"}
    assert table([row]) == [
        "model  calls  engine seconds  cost  saved",
        "m          2             1.2   0.5     10",
    ]
    assert table([]) == []


async def test_budgets_are_told_in_lines_and_json(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        asking = ("usage", "--budgets", "--url", here.url, "--key", ADMIN)
        assert (await hearth(*asking))[1] == "no key has a budget\n"
        shop = await here.key(name="shop", budget={"amount": 2.5, "period": "total"})
        _, said, _ = await hearth(*asking)
        assert [line.split() for line in said.splitlines()] == [
            ["key", "name", "period", "limit", "spent", "left"],
            [shop["id"], "shop", "total", "2.5", "0", "2.5"],
        ]
        _, said, _ = await hearth(*asking, "--json")
        assert [row["left"] for row in json.loads(said)["data"]] == ["2.5"]
        assert "nothing was used\n" == (await hearth("usage", "--url", here.url, "--key", ADMIN))[1]


def test_a_story_says_what_was_saved_and_from_when_a_gpu_pays() -> None:
    spared = {"calls": 3, "saved": "1.5", "saved_seconds": 20.0}
    told = {
        "since": "2026-11-01",
        "until": "2026-11-30",
        "days": 30,
        "runs": 10,
        "engine_seconds": 3600.0,
        "cost": "12",
        "unpaid": "0.5",
        "cache": {"hit": spared, "join": {**spared, "calls": 0}},
        "keeper": {
            "idle_seconds": 7200.0,
            "idle_cost": "0.72",
            "heartbeats": 12,
            "heartbeat_seconds": 0.5,
            "heartbeat_cost": "0.01",
            "spared_boots": 3,
            "spared_seconds": 120.0,
        },
        "own": {
            "per_hour": 2.5,
            "per_day": 60.0,
            "cost_per_day": 0.4,
            "busy": 0.0014,
            "busy_needed": 0.2083,
            "pays": False,
        },
    }
    assert story(told) == [
        "2026-11-01 to 2026-11-30, 30 days from the first call to the last",
        "spent    12 in 10 runs, 3600.0 s of compute",
        "         of that 0.5 that no budget had room for",
        "saved    1.5 by 3 answers given again, 20.0 s of compute",
        "kept     0.72 for 7200.0 s warm and unasked, with 12 heartbeats for 0.01, 0.5 s",
        "         spared 3 boots, 120.0 s of waiting",
        "own GPU  2.5 an hour is 60.00 a day, busy or not; this traffic costs 0.40 a day, so your own would be dearer",
        "         engines worked 0.14% of the time; it pays from 20.83% on",
    ]
    assert "nothing to compare" in story({**told, "own": None})[-1]
