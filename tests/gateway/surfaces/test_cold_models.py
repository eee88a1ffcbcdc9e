"""What a caller of a cold model is told: how long it takes, who answers meanwhile, when to come back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engines.base import State
from engines.outlook import Outlook
from tests.gateway.surfaces.house import house
from tests.gateway.surfaces.raw import HELLO, line
from tests.gateway.surfaces.talking import talking
from tests.serving import Served, serving
from tests.waiting import until

BIG = {"model": "big", "messages": HELLO}
ETERNAL = "big=scripted:?boot_ms=600000"
"""A model that is never warm while a test lasts."""
SMALL = "small=scripted:?tokens=3"
TABLES = {"model": {"big": {"fallback": "small"}}}
ROUTES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": BIG,
    "/v1/completions": {"model": "big", "prompt": "hello"},
    "/v1/streams": BIG,
}


class Hall(Served):
    """A server whose models have the outlook that a test gives them, until they are warm."""

    async def post(self, body: Mapping[str, Any] = BIG, path: str = "/v1/chat/completions", **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(base_url=self.url, timeout=10) as client:
            return await client.post(path, json=body, headers=sent)

    def state(self, model: str) -> State:
        return self.gateway.pool.seats[model].state

    async def warm(self, *models: str) -> None:
        for model in models:
            self.gateway.pool.warm(model)
        await until(lambda: all(self.state(model) is State.WARM for model in models))


@asynccontextmanager
async def hall(
    monkeypatch: pytest.MonkeyPatch, *models: str, ready_s: Mapping[str, float | None] | None = None, **settings: Any
) -> AsyncIterator[Hall]:
    known = dict(ready_s or {})
    async with serving(*models, preload=False, **settings) as served:
        pool = served.gateway.pool
        seen = pool.outlook

        def foreseen(model: str) -> Outlook:
            outlook = seen(model)
            return outlook if outlook.state is State.WARM else outlook._replace(ready_s=known.get(model))

        monkeypatch.setattr(pool, "outlook", foreseen)
        yield Hall(*served)


def refused(answer: httpx.Response, again_s: int) -> bool:
    error = answer.json()["error"]
    assert answer.headers["x-should-retry"] == "true"
    assert "preference-applied" not in answer.headers
    return (answer.status_code, error["code"], answer.headers["retry-after"]) == (503, "model_cold", str(again_s))


@pytest.mark.parametrize("path", ROUTES)
async def test_who_waits_less_than_the_boot_takes_is_told_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async with hall(monkeypatch, ETERNAL, ready_s={"big": 12.3}) as served:
        assert refused(await served.post(ROUTES[path], path, prefer="wait=12"), 13)
        assert served.state("big") == "booting", "so that coming back makes sense"
        assert served.gateway.running == 0


@pytest.mark.parametrize("path", ROUTES)
async def test_a_warm_model_answers_whoever_waits_for_nothing(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    async with hall(monkeypatch, "big=scripted:?tokens=2") as served:
        await served.warm("big")
        answer = await served.post(ROUTES[path], path, prefer="wait=0")
        assert answer.is_success
        assert answer.headers["preference-applied"] == "wait=0"


async def test_who_waits_long_enough_is_held_until_the_model_is_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(monkeypatch, "big=scripted:?boot_ms=50&tokens=2", ready_s={"big": 12}) as served:
        answer = await served.post(prefer="wait=12")
        assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=12")


async def test_of_an_unknown_boot_half_a_minute_is_assumed_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(monkeypatch, "big=scripted:?boot_ms=50&tokens=2") as served:
        answer = await served.post(prefer="wait=29")
        assert refused(answer, 30)
        assert "not known" in answer.json()["error"]["message"]
        assert (await served.post(prefer="wait=30")).status_code == 200


@pytest.mark.parametrize("sent", ["wait=soon", "wait", "respond-async"])
async def test_a_preference_that_makes_no_sense_is_passed_over(monkeypatch: pytest.MonkeyPatch, sent: str) -> None:
    async with hall(monkeypatch, "big=scripted:?boot_ms=50&tokens=2", ready_s={"big": 99}) as served:
        answer = await served.post(prefer=sent)
        assert answer.status_code == 200
        assert "preference-applied" not in answer.headers


async def test_embeddings_wait_no_longer_than_they_are_to(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"model": "big", "input": "a fox"}
    async with hall(monkeypatch, "big=scripted:?embeds=true", ready_s={"big": 12.3}) as served:
        assert refused(await served.post(body, "/v1/embeddings", prefer="wait=2"), 13)
        await served.warm("big")
        answer = await served.post(body, "/v1/embeddings", prefer="wait=2")
        assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=2")


async def test_a_lane_says_in_its_frame_how_long_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(monkeypatch, ETERNAL, ready_s={"big": 12.3}) as served, talking(served.url) as talk:
        await talk.say("create", "a", request=BIG, wait_s=2)
        error = await talk.hear("a")
        assert (error["t"], error["code"], error["retry"], error["retry_after_s"]) == ("error", "model_cold", True, 13)
        await talk.say("create", "a", request=BIG, wait_s="2")
        error = await talk.hear("a")
        assert (error["code"], error["param"]) == ("invalid_request", "wait_s")


async def test_a_kept_answer_needs_no_warm_model(monkeypatch: pytest.MonkeyPatch) -> None:
    body = BIG | {"temperature": 0}
    models = ("big=scripted:?boot_ms=50&tokens=2", SMALL)
    async with hall(monkeypatch, *models, ready_s={"big": 99}, **TABLES) as served:
        first = await served.post(body)
        await served.gateway.pool.cool("big")
        await served.warm("small")
        again = await served.post(body, prefer="wait=0")
        assert (again.status_code, again.headers["x-cache"]) == (200, "HIT")
        assert again.json()["choices"] == first.json()["choices"]
        assert "x-fallback-for" not in again.headers
        assert served.state("big") == "cold"


async def test_who_would_follow_a_run_that_waits_for_the_boot_is_sent_away_too(monkeypatch: pytest.MonkeyPatch) -> None:
    body = BIG | {"temperature": 0}
    async with hall(monkeypatch, ETERNAL, ready_s={"big": 99}) as served, line(served) as patient:
        await patient.post(body | {"stream": True})
        await patient.hear(b": booting big: ")
        assert refused(await served.post(body, prefer="wait=5"), 99)
        assert served.gateway.running == 1


async def test_a_server_that_goes_down_boots_nothing_for_who_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(monkeypatch, ETERNAL, SMALL, ready_s={"big": 99}, **TABLES) as served:
        await served.warm("small")
        await served.gateway.drain(0)
        for refusal in (await served.post(prefer="wait=0", x_no_fallback="1"), await served.post()):
            assert refusal.json()["error"]["code"] == "draining"
        assert served.state("big") == "cold"


async def test_a_retry_of_what_was_sent_away_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(monkeypatch, "big=scripted:?boot_ms=50&tokens=2", ready_s={"big": 9}) as served:
        assert refused(await served.post(prefer="wait=0", idempotency_key="k"), 9)
        await until(lambda: served.state("big") is State.WARM)
        assert (await served.post(prefer="wait=0", idempotency_key="k")).status_code == 200


async def test_a_retry_is_no_other_question_though_another_model_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    models = ("big=scripted:?boot_ms=50&tokens=2", SMALL)
    async with hall(monkeypatch, *models, ready_s={"big": 99}, **TABLES) as served:
        await served.warm("small")
        first = await served.post(idempotency_key="k")
        await until(lambda: served.state("big") is State.WARM)
        again = await served.post(idempotency_key="k")
        assert [answer.json()["model"] for answer in (first, again)] == ["small", "small"]
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["x-fallback-for"] == "big"


@pytest.mark.parametrize("path", ROUTES)
async def test_the_fallback_answers_while_the_model_boots_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    models = ("big=scripted:?boot_ms=50&tokens=2", SMALL)
    async with hall(monkeypatch, *models, ready_s={"big": 99}, **TABLES) as served:
        await served.warm("small")
        answer = await served.post(ROUTES[path], path)
        assert answer.json()["model"] == answer.headers["x-model"] == "small"
        assert answer.headers["x-fallback-for"] == "big"
        await until(lambda: served.state("big") is State.WARM)
        answer = await served.post(ROUTES[path], path)
        assert answer.json()["model"] == "big"
        assert "x-fallback-for" not in answer.headers


async def test_a_stream_names_the_model_that_answers_in_every_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(monkeypatch, ETERNAL, SMALL, ready_s={"big": 99}, **TABLES) as served:
        await served.warm("small")
        answer = await served.post(BIG | {"stream": True})
        assert set(re.findall(r'"model":"(\w+)"', answer.text)) == {"small"}
        assert answer.headers["x-fallback-for"] == "big"


async def test_a_lane_is_told_who_answers_for_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(monkeypatch, ETERNAL, SMALL, ready_s={"big": 99}, **TABLES) as served, talking(served.url) as talk:
        await served.warm("small")
        await talk.say("create", "a", request=BIG)
        attached = await talk.hear("a", "attached")
        assert (attached["model"], attached["fallback_for"]) == ("small", "big")
        assert (await talk.hear("a", "opened"))["model"] == "small"
        await talk.say("create", "b", request=BIG, wait_s=0, fallback=False)
        assert (await talk.hear("b"))["code"] == "model_cold"


async def test_who_wants_no_fallback_waits_for_the_model_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    models = ("big=scripted:?boot_ms=50&tokens=2", SMALL)
    async with hall(monkeypatch, *models, ready_s={"big": 99}, **TABLES) as served:
        await served.warm("small")
        answer = await served.post(x_no_fallback="1")
        assert answer.json()["model"] == "big"


@pytest.mark.parametrize(
    ("said", "refused"),
    [("1", True), ("true", True), ("yes", True), ("", True), ("0", False), ("False", False), ("no", False)],
)
async def test_any_value_but_a_no_refuses_the_fallback(
    monkeypatch: pytest.MonkeyPatch, said: str, refused: bool
) -> None:
    async with hall(monkeypatch, ETERNAL, SMALL, model=TABLES["model"]) as served:
        await served.warm("small")
        answer = await served.post(prefer="wait=0", x_no_fallback=said)
        assert answer.status_code == (503 if refused else 200)


async def test_a_fallback_comes_before_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(monkeypatch, ETERNAL, SMALL, ready_s={"big": 99}, **TABLES) as served:
        assert refused(await served.post(prefer="wait=0"), 99)
        await served.warm("small")
        answer = await served.post(prefer="wait=0")
        assert (answer.status_code, answer.json()["model"]) == (200, "small")
        assert answer.headers["preference-applied"] == "wait=0"


async def test_a_cold_fallback_answers_only_if_it_is_likely_warm_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    models = ("big=scripted:?boot_ms=50&tokens=2", "small=scripted:?boot_ms=50&tokens=3")
    for big_s, small_s, answers in ((60, 5, "small"), (5, 60, "big"), (60, None, "big")):
        async with hall(monkeypatch, *models, ready_s={"big": big_s, "small": small_s}, **TABLES) as served:
            assert (await served.post()).json()["model"] == answers


async def test_a_fallback_has_a_fallback_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"big": {"fallback": "middle"}, "middle": {"fallback": "small"}}
    async with hall(
        monkeypatch, ETERNAL, "middle=scripted:?boot_ms=600000", SMALL, ready_s={"big": 99, "middle": 50}, model=tables
    ) as served:
        await served.warm("small")
        assert (await served.post()).json()["model"] == "small"
        assert served.state("middle") == "cold"


@pytest.mark.parametrize("small", ["embeds=true", "context_length=1000"])
async def test_a_fallback_that_may_not_take_the_call_is_none(monkeypatch: pytest.MonkeyPatch, small: str) -> None:
    models = ("big=scripted:?boot_ms=50&tokens=2", f"small=scripted:?{small}")
    async with hall(monkeypatch, *models, ready_s={"big": 99}, **TABLES) as served:
        await served.warm("small")
        assert (await served.post()).json()["model"] == "big"


async def test_what_a_key_may_not_ask_does_not_answer_it_either(tmp_path: Path) -> None:
    models = ("big=scripted:?boot_ms=50&tokens=2", SMALL)
    async with house(tmp_path, *models, preload=False, **TABLES) as server:
        pool = server.gateway.pool
        pool.warm("small")
        await until(lambda: pool.seats["small"].state is State.WARM)
        for may, answers in ((["big"], "big"), (None, "small")):
            key = await server.key(models=may)
            answer = await server.ask("POST", "/v1/chat/completions", key["secret"], json=BIG)
            assert answer.json()["model"] == answers
            await pool.cool("big")


async def test_limits_are_those_of_the_model_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"big": {"fallback": "small"}, "small": {"requests_per_minute": 1}}
    async with hall(monkeypatch, ETERNAL, SMALL, ready_s={"big": 99}, model=tables) as served:
        await served.warm("small")
        assert (await served.post()).headers["x-ratelimit-limit-requests"] == "1"
        refusal = await served.post()
        assert refusal.json()["error"]["code"] == "rate_limited"


async def test_a_stream_is_told_again_and_again_how_long_a_boot_will_take() -> None:
    async with serving("big=scripted:?boot_ms=400&tokens=2", keep_alive_s=0.05) as served:
        await until(lambda: served.gateway.pool.seats["big"].state is State.WARM)
        await served.gateway.pool.cool("big")
        async with httpx.AsyncClient(base_url=served.url, timeout=10) as client:
            plain = client.post("/v1/chat/completions", json=BIG | {"stream": True})
            started = await client.post("/v1/streams", json=BIG)
            comments, watched = await asyncio.gather(plain, client.get(started.headers["location"]))
    assert len(re.findall(r"^: booting big: pretending to load \(about \d+ s\)$", comments.text, re.MULTILINE)) > 1
    left = [float(each) for each in re.findall(r'"message":"pretending to load","ready_s":([\d.]+)', watched.text)]
    assert len(left) > 1 and left == sorted(left, reverse=True)
    assert 0 < left[-1] < left[0]
