"""What callers are told when a device has no room for their model, or its engine is left alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from engines.base import State
from tests.gateway.surfaces.raw import HELLO
from tests.serving import Served, serving
from tests.waiting import until

MODELS = ("a=scripted:?tokens=2", "b=scripted:?tokens=2")
ON_ONE: dict[str, Any] = {"a": {"device": "gpu0", "device_share": 0.6}, "b": {"device": "gpu0", "device_share": 0.6}}
ALWAYS = {"active_hours": ["daily 00:00-24:00"]}


async def ask(served: Served, model: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=served.url, timeout=10) as client:
        return await client.post("/v1/chat/completions", json={"model": model, "messages": HELLO})


async def test_a_model_that_is_asked_for_takes_the_place_of_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.rooms._SETTLED_S", 0.0)
    async with serving(*MODELS, model=ON_ONE) as served:
        seats = served.gateway.pool.seats
        assert not any(seat.lives for seat in seats.values()), "one would throw the other out"
        for model, other in ("ab", "ba", "ab"):
            assert (await ask(served, model)).status_code == 200
            assert (seats[model].state, seats[other].state) == (State.WARM, State.COLD)


async def test_a_model_in_its_hours_keeps_its_place_and_the_other_is_refused() -> None:
    async with serving(*MODELS, model={**ON_ONE, "a": {**ON_ONE["a"], **ALWAYS}}) as served:
        await until(lambda: served.gateway.pool.seats["a"].state is State.WARM)
        answer = await ask(served, "b")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["retry"]) == (503, "no_room", True)
        assert error["message"] == "gpu0 has no room for b: a is in its active hours."
        assert (await ask(served, "a")).status_code == 200


async def test_when_all_engines_are_left_alone_the_answer_says_for_how_long() -> None:
    async with serving("demo=scripted:?tokens=2", "demo=scripted:?tokens=2") as served:
        pool = served.gateway.pool
        await until(lambda: all(seat.state is State.WARM for seat in pool.seats.values()))
        for seat, wait_s in zip(pool.seats.values(), (40, 20), strict=True):
            seat.breaker.failed(seat.breaker.begin(), seat._clock(), wait_s)
        answer = await ask(served, "demo")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "engine_busy")
        assert 18 <= int(answer.headers["retry-after"]) <= 20
        pool.seats["demo"].breaker.succeeded(pool.seats["demo"].breaker.begin())
        assert (await ask(served, "demo")).status_code == 200
