"""hearth warm, hearth cool, and the table of hearth models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engines.base import State
from gateway.cli import model_table
from gateway.cli.model_table import span
from tests.gateway.cli.keyboard import CTRL_C, hearth, terminal
from tests.gateway.surfaces.house import ADMIN, house
from tests.serving import serving
from tests.waiting import until


async def test_a_model_is_warmed_and_cooled_and_each_is_waited_for() -> None:
    async with serving("org/demo=scripted:?boot_ms=600", preload=False) as served:
        seat = served.gateway.pool.seats["org/demo"]
        status, said, told = await hearth("warm", "org/demo", "--url", served.url)
        assert (status, said, seat.state) == (0, "org/demo is warm, after 1 s\n", State.WARM)
        assert "org/demo: booting: pretending to load" in told
        status, said, _ = await hearth("cool", "org/demo", "--url", served.url, "--drain-s", "0")
        assert (status, said, seat.state) == (0, "org/demo is cold, after 0 s\n", State.COLD)
        status, said, _ = await hearth("warm", "org/demo", "--url", served.url, "--no-wait")
        assert (status, said) == (0, "org/demo: booting\n")


async def test_what_fails_is_told_by_a_sentence_and_the_status() -> None:
    async with serving("bad=scripted:?boot_fails=true", preload=False) as served:
        for words, sentence in (
            (("warm", "bad"), "bad did not start: The script says that the boot fails."),
            (("warm", "bd"), "No model 'bd' is served here"),
            (("cool", "bad", "--drain-s", "long"), "`drain_s` is 0 to 3600 seconds."),
        ):
            status, said, told = await hearth(*words, "--url", served.url)
            assert (status, said) == (1, "") and sentence in told


async def test_a_model_that_is_warm_by_one_engine_is_warm_and_the_others_are_told() -> None:
    async with serving("demo=scripted:", "demo=scripted:?boot_fails=true", preload=False) as served:
        status, said, told = await hearth("warm", "demo", "--url", served.url)
    assert (status, said) == (0, "demo is warm, after 0 s\n")
    assert "demo 2 did not start: The script says that the boot fails." in told


async def test_an_admins_table_has_every_engine_and_another_keys_the_models(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:", "demo=scripted:") as here:
        await until(lambda: all(seat.state is State.WARM for seat in here.gateway.pool.seats.values()))
        _, said, _ = await hearth("models", "--url", here.url, "--key", ADMIN)
        assert [line.split()[0].partition("/")[2] for line in said.splitlines()[2:]] == ["demo", "demo"]
        _, said, _ = await hearth("models", "--url", here.url, "--key", ADMIN, "--json")
        assert len(json.loads(said)[0]["engines"]) == 2
        plain = await here.key(name="shop")
        _, said, _ = await hearth("models", "--url", here.url, "--key", plain["secret"])
        assert said.split() == ["demo", "warm", "32768", "tokens", "of", "context"]
        status, _, told = await hearth("warm", "demo", "--url", here.url, "--key", plain["secret"])
        assert status == 1 and "admin key" in told


async def test_the_table_is_shown_again_until_ctrl_c() -> None:
    async with (
        serving("demo=scripted:", preload=False) as served,
        terminal("models", "--watch", "--url", served.url) as screen,
    ):
        await screen.sees("demo   cold")
        served.gateway.pool.warm("demo")
        await screen.sees("demo   warm")
        assert await screen.ends_by(CTRL_C) == 0
    status, _, told = await hearth("models", "--watch", "--url", served.url)
    assert status == 2 and "wants a terminal" in told


def engine(**facts: Any) -> dict[str, Any]:
    return {
        "id": "r/demo",
        "state": "warm",
        "since": 940.0,
        "stage": "ready",
        "ready_seconds": 0.0,
        "next": None,
        "running": 0,
        "outstanding_tokens": 0,
        "tokens_per_second": 0.0,
        "breaker": "let through",
        "boots": {"count": 1, "last_seconds": 41.0, "estimated_seconds": 40.0},
        "heartbeats": {"count": 12, "seconds": 0.5, "cost": "0", "last": None, "alarm": None},
        **facts,
    }


def table(*engines: dict[str, Any], **facts: Any) -> list[str]:
    model = {**engines[0], "id": "demo", "waiting": 0, "hours": None, "cost_today": "0.5", "engines": engines, **facts}
    return model_table.table({"now": 1000.0, "data": [model]})


def test_a_line_says_what_a_model_does_and_what_comes_next() -> None:
    hours = {"why": "Mon-Fri 08:00-20:00 (UTC)", "open": True, "change": {"at": 8200.0, "kind": "closes"}}
    assert table(engine(next={"at": 1029.0, "why": "heartbeat"}), hours=hours) == [
        "model  state  since  running  waiting  owed  tok/s    boot  beats  today  next",
        "demo   warm   1 min        0        0     0    0.0  40.0 s     12    0.5  in 29 s: heartbeat",
        "  hours: Mon-Fri 08:00-20:00 (UTC): open, closes in 2 h",
    ]


def test_what_is_wrong_stands_under_it() -> None:
    beats = {"count": 3, "seconds": 0.5, "cost": "0", "last": None, "alarm": "No heartbeat after 30 s."}
    lines = table(
        engine(heartbeats=beats, breaker="kept away"), engine(id="r/demo 2", state="broken", stage="No room.")
    )
    assert [line.split()[0] for line in lines] == ["model", "demo", "ALARM", "ALARM", "BROKEN", "r/demo", "r/demo"]
    assert "No heartbeat after 30 s." in lines[2] and "kept away" in lines[3] and "No room." in lines[4]


def test_why_it_does_not_boot_in_its_hours_stands_under_it_while_it_boots_again() -> None:
    beats = {"count": 0, "seconds": 0.0, "cost": "0", "last": None, "alarm": "No weights."}
    for state in ("broken", "booting"):
        assert table(engine(state=state, heartbeats=beats))[2:] == ["  ALARM r/demo: it does not boot: No weights."]


def test_a_boot_is_counted_down() -> None:
    assert table(engine(state="booting", stage="loading", ready_seconds=12.0))[1].endswith("loading (about 12 s)")


def test_a_time_is_told_in_one_unit() -> None:
    assert [span(seconds) for seconds in (-1, 0, 59, 90, 7200, 200_000)] == [
        "0 s",
        "0 s",
        "59 s",
        "2 min",
        "2 h",
        "2 d",
    ]


def test_a_server_without_models_says_so() -> None:
    assert model_table.table({"now": 0.0, "data": []}) == ["no models"]
