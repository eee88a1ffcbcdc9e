"""What users of other gateways were given from their caches, and nobody is given here."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.surfaces.house import house
from tests.serving import Served, serving
from tests.waiting import until

PATH = "/v1/chat/completions"


def question(**more: Any) -> dict[str, Any]:
    content = secrets.token_hex(4)
    return {"model": "demo", "messages": [{"role": "user", "content": content}], "temperature": 0, **more}


async def ask(here: Served, body: dict[str, Any], key: str | None = None, **headers: str) -> httpx.Response:
    sent = headers if key is None else {"authorization": f"Bearer {key}", **headers}
    async with httpx.AsyncClient(base_url=here.url, timeout=20) as http:
        answer = await http.post(PATH, json=body, headers=sent)
    await until(lambda: here.gateway.running == 0)
    return answer


PARAMETERS: list[tuple[str, Any, Any]] = [
    ("min_tokens", 1, 2),
    ("structured_outputs", {"regex": "a"}, {"regex": "b"}),
    ("chat_template_kwargs", {"thinking": True}, {"thinking": False}),
    ("repetition_penalty", 1.1, 1.2),
    ("frequency_penalty", 0.1, 0.2),
    ("extra_body", {"a": 1}, {"a": 2}),
    ("never_heard_of", 1, 2),
]


@pytest.mark.parametrize(("name", "one", "other"), PARAMETERS, ids=[name for name, *_ in PARAMETERS])
async def test_requests_that_differ_in_one_parameter_are_given_each_their_own(
    tmp_path: Path, name: str, one: Any, other: Any
) -> None:
    async with house(tmp_path, admin_key=None) as here:
        body = question(max_tokens=9)
        told = [await ask(here, {**body, **more}) for more in ({}, {name: one}, {name: other}, {name: one})]
        assert [answer.headers["x-cache"] for answer in told] == ["MISS", "MISS", "MISS", "HIT"]


async def test_min_p_counts_where_chance_does(tmp_path: Path) -> None:
    async with house(tmp_path, admin_key=None, cache="all") as here:
        body = question(temperature=0.7)
        told = [await ask(here, {**body, **more}) for more in ({}, {"min_p": 0.1}, {"min_p": 0.2}, {})]
        assert [answer.headers["x-cache"] for answer in told] == ["MISS", "MISS", "MISS", "HIT"]


async def test_another_tenant_is_given_nothing_and_learns_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ann, bob = (await here.key(name="ann"))["secret"], (await here.key(name="bob"))["secret"]
        body = question()
        first = await ask(here, body, ann)
        again = await ask(here, body, ann)
        others = await ask(here, body, bob)
        assert [each.headers["x-cache"] for each in (first, again, others)] == ["MISS", "HIT", "MISS"]
        assert others.headers["x-cache-key"] != first.headers["x-cache-key"]
        probed = await ask(here, body, bob, **{"cache-control": "only-if-cached"})
        assert probed.headers["x-cache-source-id"] != first.headers["x-generation-id"]


async def test_keys_of_one_namespace_share(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        keys = [(await here.key(name=name, namespace="team"))["secret"] for name in ("ann", "bob")]
        body = question()
        told = [await ask(here, body, key) for key in keys]
        assert [answer.headers["x-cache"] for answer in told] == ["MISS", "HIT"]
        assert told[0].json()["id"] != told[1].json()["id"]


async def test_a_kept_answer_is_behind_the_key_and_behind_its_limits(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        key = (await here.key(name="ann", requests_per_minute=3))["secret"]
        body = question()
        told = [await ask(here, body, key) for _ in range(4)]
        assert [answer.status_code for answer in told] == [200, 200, 200, 429]
        assert [answer.headers.get("x-cache") for answer in told] == ["MISS", "HIT", "HIT", None]
        assert (await ask(here, body)).status_code == 401
        assert (await ask(here, body, "hearth_nobody")).status_code == 401


async def test_a_broken_answer_is_never_given_as_a_good_one(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:?fail_at=3", admin_key=None) as here:
        body = question()
        for _ in range(3):
            told = await ask(here, body)
            assert (told.status_code, told.headers.get("x-cache")) == (500, "MISS")
    async with serving("demo=scripted:?context_length=2") as here:
        for _ in range(2):
            long = await ask(here, {**question(), "messages": [{"role": "user", "content": "one two three"}]})
            assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")


async def test_eight_equal_requests_at_once_cost_one(tmp_path: Path) -> None:
    async with house(tmp_path, "demo=scripted:?tokens=20&token_ms=5", admin_key=None) as here:
        body = question()
        told = await asyncio.gather(*(ask(here, body) for _ in range(8)))
        assert sorted(answer.headers["x-cache"] for answer in told) == ["JOIN"] * 7 + ["MISS"]
        async with httpx.AsyncClient(base_url=here.url) as http:
            metrics = (await http.get("/metrics")).text
        assert 'hearth_generated_tokens_total{model="demo"} 20.0' in metrics
