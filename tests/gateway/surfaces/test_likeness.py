"""A question in other words is given the answer of the first, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cache.base import Which
from engines.base import Traits
from engines.errors import EngineError
from gateway.app import build
from gateway.settings import load
from tests.gateway.puppet import Puppet
from tests.gateway.surfaces.raw import engine_of
from tests.serving import Served, serving
from tests.waiting import until

VECTORS = "vectors=scripted:?embeds=true"
LIKE: Any = {"demo": {"semantic_model": "vectors", "semantic_threshold": 0.7}}
FIRST, AGAIN = "How do I reset my password?", "How can I reset my password?"
OPPOSITE = "How do I not reset my password?"


class Asking:
    """A client who asks one model."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def __call__(self, text: str, **more: Any) -> httpx.Response:
        system = more.pop("system", None)
        messages = [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": text}]
        body = {"model": "demo", "messages": messages, "temperature": 0, **more}
        answer = await self._client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving("demo=scripted:?tokens=3", VECTORS, model=LIKE) as server:
        await until(lambda: all(seat.state == "warm" for seat in server.gateway.pool.seats.values()))
        yield server


@pytest.fixture
async def ask(served: Served) -> AsyncIterator[Asking]:
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as client:
        yield Asking(client)


def text(answer: httpx.Response) -> str:
    said: str = answer.json()["choices"][0]["message"]["content"]
    return said


async def test_other_words_are_answered_alike_and_told_how_like_they_were(ask: Asking) -> None:
    first, again = await ask(FIRST), await ask(AGAIN)
    assert (first.headers["x-cache"], again.headers["x-cache"]) == ("MISS", "HIT")
    assert text(again) == text(first)
    assert 0.7 <= float(again.headers["x-cache-similarity"]) < 0.99
    assert 'detail="like"' in again.headers["cache-status"]
    assert again.json()["id"] != first.json()["id"]
    assert "x-cache-similarity" not in first.headers


async def test_the_very_same_question_is_found_as_it_is(ask: Asking) -> None:
    await ask(FIRST)
    same = await ask(FIRST)
    assert same.headers["x-cache"] == "HIT"
    assert "x-cache-similarity" not in same.headers


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (OPPOSITE, {}),
        (AGAIN, {"max_tokens": 2}),
        (AGAIN, {"system": "Be rude."}),
        (AGAIN, {"cache": {"semantic": False}}),
        (AGAIN, {"cache": {"namespace": "other"}}),
        (AGAIN, {"temperature": 1}),
        (AGAIN, {"n": 2}),
    ],
)
async def test_whatever_else_differs_is_answered_anew(ask: Asking, words: str, more: dict[str, Any]) -> None:
    await ask(FIRST)
    assert (await ask(words, **more)).headers["x-cache"] in ("MISS", "BYPASS")


async def test_who_wants_a_new_answer_has_one(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, headers={"cache-control": "no-cache"}) as client:
        for words in (FIRST, AGAIN):
            assert (await Asking(client)(words)).headers["x-cache"] == "MISS"


async def test_what_was_purged_is_not_found_and_forgotten(served: Served, ask: Asking) -> None:
    await ask(FIRST)
    async with httpx.AsyncClient(base_url=served.url) as client:
        assert (await client.delete("/admin/cache", params={"model": "demo"})).json()["purged"] == 1
    likeness = served.gateway._answering._likeness
    assert likeness is not None and await likeness._semantic.purge(Which()) == 0
    assert (await ask(AGAIN)).headers["x-cache"] == "MISS"
    assert (await ask(FIRST)).headers["x-cache"] == "HIT"


async def test_a_question_whose_answer_is_gone_is_forgotten_and_asked_anew(served: Served, ask: Asking) -> None:
    await ask(FIRST)
    assert await served.gateway.caching.store.purge(Which(model="demo")) == 1
    assert (await ask(AGAIN)).headers["x-cache"] == "MISS"
    likeness = served.gateway._answering._likeness
    assert likeness is not None and await likeness._semantic.purge(Which()) == 1


async def test_a_cold_embedding_model_holds_nobody_and_boots() -> None:
    async with serving("demo=scripted:?tokens=3", f"{VECTORS}&boot_ms=30", preload=False, model=LIKE) as server:
        seats = server.gateway.pool.seats
        async with httpx.AsyncClient(base_url=server.url) as client:
            ask = Asking(client)
            for words in (FIRST, AGAIN):
                assert (await ask(words)).headers["x-cache"] == "MISS"
            await until(lambda: seats["vectors"].state == "warm")
            assert (await ask(FIRST)).headers["x-cache"] == "HIT"


async def test_an_embedding_model_that_has_not_said_what_it_is_is_booted_for_the_next_ones() -> None:
    async with serving("demo=scripted:?tokens=3", VECTORS, preload=False, model=LIKE) as server:
        puppet = Puppet(traits=Traits(embeds=True))
        server.gateway.pool.seats["vectors"].engine = puppet
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await Asking(client)(FIRST)).headers["x-cache"] == "MISS"
        await until(lambda: puppet.starts == 1)


async def test_a_slow_embedding_model_is_not_waited_for() -> None:
    async with serving("demo=scripted:?tokens=3", f"{VECTORS}&prefill_ms=600000", model=LIKE) as server:
        await until(lambda: all(seat.state == "warm" for seat in server.gateway.pool.seats.values()))
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await Asking(client)(FIRST)).headers["x-cache"] == "MISS"
        assert engine_of(server, "vectors").running == 0
        assert len(engine_of(server, "vectors").aborted) == 1


def test_an_embedding_model_that_is_not_served_is_told() -> None:
    with pytest.raises(EngineError, match="semantic_model 'vectors'"):
        build(load({"models": ("demo=scripted:",), "model": LIKE}))
