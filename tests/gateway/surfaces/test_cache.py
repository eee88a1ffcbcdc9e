"""Equal questions over HTTP and WebSocket: one run, from whichever replica and in whichever dialect."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from engines.scripted.engine import ScriptedEngine
from tests.gateway.surfaces.raw import CHAT, engine_of, line
from tests.gateway.surfaces.talking import spoken, talking
from tests.gateway.surfaces.watching import text, watched
from tests.redis_server import redis_process
from tests.serving import Served, serving
from tests.waiting import until

PATH = "/v1/chat/completions"
SLOW = "demo=scripted:?tokens=30&token_ms=20"
QUICK = "demo=scripted:?tokens=8"


def greedy(**more: Any) -> dict[str, Any]:
    """A question that nobody has asked before, and whose answer comes out the same each time."""
    return {**CHAT, "messages": [{"role": "user", "content": secrets.token_hex(4)}], "temperature": 0, **more}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every generation that an engine was asked for."""
    begun: list[str] = []
    pour = ScriptedEngine.pour

    def counted(self: ScriptedEngine, id: str, *more: Any) -> Any:
        begun.append(id)
        return pour(self, id, *more)

    monkeypatch.setattr(ScriptedEngine, "pour", counted)
    return begun


@asynccontextmanager
async def three(url: str, model: str = SLOW) -> AsyncIterator[list[Served]]:
    """Replicas on one Redis."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(model, redis_url=url)) for _ in range(3)]


@asynccontextmanager
async def client(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        yield http


async def plain(served: Served, body: dict[str, Any], **headers: str) -> httpx.Response:
    async with client(served) as http:
        return await http.post(PATH, json=body, headers=headers)


def frames(answer: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream without what is each call's own."""
    said = [json.loads(each[6:]) for each in answer.text.split("\n\n") if each.startswith("data: {")]
    return [{name: value for name, value in frame.items() if name not in ("id", "created")} for frame in said]


# Each asks in a way of its own; what it was told, and by what id.


async def ask_plain(served: Served, body: dict[str, Any]) -> tuple[str, str]:
    told = (await plain(served, body)).json()
    return told["id"], told["choices"][0]["message"]["content"]


async def ask_stream(served: Served, body: dict[str, Any], **headers: str) -> tuple[str, str]:
    answer = await plain(served, {**body, "stream": True}, **headers)
    [id] = {json.loads(each[6:])["id"] for each in answer.text.split("\n\n") if "data: {" in each[:40] and "id" in each}
    return id, "".join(frame["choices"][0]["delta"].get("content", "") for frame in frames(answer))


async def ask_resumable(served: Served, body: dict[str, Any]) -> tuple[str, str]:
    answer = await plain(served, {**body, "stream": True}, **{"x-resumable": "1"})
    said = [json.loads(row[6:]) for row in answer.text.splitlines() if row.startswith("data: {")]
    return said[0]["id"], "".join(frame["choices"][0]["delta"].get("content", "") for frame in said)


async def ask_with_a_key(served: Served, body: dict[str, Any]) -> tuple[str, str]:
    told = (await plain(served, body, **{"idempotency-key": secrets.token_hex(8)})).json()
    return told["id"], told["choices"][0]["message"]["content"]


async def ask_watching(served: Served, body: dict[str, Any]) -> tuple[str, str]:
    async with client(served) as http:
        id = (await http.post("/v1/streams", json=body)).json()["id"]
    return id, text(await watched(served.url, id))


async def ask_on_a_socket(served: Served, body: dict[str, Any]) -> tuple[str, str]:
    async with talking(served.url) as talk:
        id = await talk.create("a", **body)
        return id, spoken((await talk.to_the_end("a"))["a"])


async def ask_openai(served: Served, body: dict[str, Any]) -> tuple[str, str]:
    async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as sdk:
        told = await sdk.chat.completions.create(**body)
        return told.id, told.choices[0].message.content or ""


WAYS = (ask_plain, ask_stream, ask_resumable, ask_with_a_key, ask_watching, ask_on_a_socket, ask_openai)


async def test_a_hundred_at_once_over_three_replicas_in_every_dialect_are_one_run(
    redis_url: str, runs: list[str]
) -> None:
    async with three(redis_url) as replicas:
        body = greedy()
        asked = [WAYS[index % len(WAYS)](replicas[index % 3], body) for index in range(100)]
        told = await asyncio.gather(*asked)
        assert len(runs) == 1
        assert len({said for _, said in told}) == 1 and told[0][1].endswith(".29")
        assert len({id for id, _ in told}) == 100


async def test_a_repeated_question_is_answered_from_any_replica_without_a_run(redis_url: str, runs: list[str]) -> None:
    async with three(redis_url, QUICK) as replicas:
        body = greedy()
        first = await plain(replicas[0], body)
        assert first.headers["x-cache"] == "MISS"
        await settled(replicas[0])
        for way in WAYS:
            assert (await way(replicas[1], body))[1] == first.json()["choices"][0]["message"]["content"]
        again = await plain(replicas[2], body)
        assert (again.headers["x-cache"], len(runs)) == ("HIT", 1)
        assert again.json()["usage"] == first.json()["usage"]


async def settled(served: Served) -> None:
    """Wait until nothing runs: what was said is kept."""
    await until(lambda: served.gateway.running == 0)


@pytest.mark.parametrize("script", ["", "&tool=f", '&json={"a":1}'], ids=["words", "tool call", "json"])
@pytest.mark.parametrize(
    "more", [{}, {"logprobs": True}, {"n": 2}, {"stream_options": {"include_usage": True}}], ids=lambda more: str(more)
)
async def test_what_is_given_again_streams_like_the_first_time(script: str, more: dict[str, Any]) -> None:
    async with serving(QUICK + script) as served:
        body = greedy(stream=True, **more)
        fresh, again = await plain(served, body), None
        await settled(served)
        again = await plain(served, body)
        assert (fresh.headers["x-cache"], again.headers["x-cache"]) == ("MISS", "HIT")
        assert joined(frames(again)) == joined(frames(fresh))
        assert len(frames(again)) >= 8 or "json" in script
        assert again.text.endswith("data: [DONE]\n\n")
        body = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
        whole = await plain(served, body)
        assert whole.headers["x-cache"] == "HIT"


def joined(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the chunks say of each choice in all, however they were cut."""
    choices: dict[int, list[Any]] = {}
    for frame in said:
        for choice in frame["choices"]:
            told = choices.setdefault(choice["index"], ["", [], [], None])
            told[0] += choice["delta"].get("content") or ""
            told[1] += choice["delta"].get("tool_calls") or []
            told[2] += (choice["logprobs"] or {}).get("content") or []
            told[3] = choice["finish_reason"] or told[3]
    return [{"choices": choices, "usage": said[-1].get("usage")}]


async def test_a_plain_client_that_leaves_does_not_disturb_who_joined_it(redis_url: str, runs: list[str]) -> None:
    async with three(redis_url) as replicas:
        body = greedy()
        async with line(replicas[0]) as leader:
            await leader.post({**body, "stream": True})
            await leader.hear(b'"content":" ')
            joined = asyncio.create_task(ask_plain(replicas[1], body))
            await until(lambda: replicas[1].gateway.readers == 1)
            leader.drop()
        assert (await joined)[1].endswith(".29")
        assert len(runs) == 1
        await until(lambda: engine_of(replicas[0]).running == 0)
        assert engine_of(replicas[0]).aborted == []


async def test_a_run_that_everybody_has_left_is_aborted_and_its_half_answer_given_to_nobody(runs: list[str]) -> None:
    async with serving(SLOW) as served:
        body = greedy(stream=True)
        async with line(served) as one, line(served) as other:
            await one.post(body)
            await one.hear(b'"content":" ')
            await other.post(body)
            await other.hear(b'"content":" ')
            one.drop()
            other.drop()
            await until(lambda: engine_of(served).aborted != [])
        await settled(served)
        assert (await plain(served, body)).headers["x-cache"] == "MISS"
        assert len(runs) == 2


@pytest.mark.parametrize(("stream", "fail_at"), [(False, 3), (True, 0)], ids=["plain", "streamed"])
async def test_a_failed_run_is_told_to_who_asked_and_given_to_nobody(
    runs: list[str], stream: bool, fail_at: int
) -> None:
    async with serving(f"demo=scripted:?tokens=8&prefill_ms=200&fail_at={fail_at}") as served:
        body = greedy(stream=stream)
        told = await asyncio.gather(*(plain(served, body) for _ in range(10)))
        assert ["engine_failed" in answer.text for answer in told] == [True] * 10
        # Who joined asked once more, together.
        assert len(runs) == 2
        await settled(served)
        assert (await plain(served, body)).headers["x-cache"] == "MISS"


async def test_control_by_http_and_by_the_body(runs: list[str]) -> None:
    async with serving(QUICK) as served:
        body = greedy()
        refused = await plain(served, body, **{"cache-control": "only-if-cached"})
        assert (refused.status_code, refused.json()["error"]["code"], runs) == (504, "not_cached", [])
        assert (await plain(served, body, **{"cache-control": "no-store"})).headers["x-cache"] == "BYPASS"
        assert (await plain(served, {**body, "cache": {"no-cache": True}})).headers["x-cache"] == "MISS"
        await settled(served)
        given = await plain(served, body, **{"cache-control": "only-if-cached"})
        assert (given.headers["x-cache"], given.headers["age"]) == ("HIT", "0")
        assert given.headers["cache-status"].startswith("hearth; hit; ttl=")
        assert (await plain(served, {**body, "cache": {"s-maxage": 0}})).headers["x-cache"] == "MISS"
        refused = await plain(served, {**body, "cache": {"no_cache": True}})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "cache.no_cache")


async def test_what_is_kept_is_shown_and_let_go_of() -> None:
    async with serving(QUICK) as served, client(served) as http:
        key = (await plain(served, greedy())).headers["x-cache-key"]
        await settled(served)
        shown = (await http.get("/admin/cache")).json()
        assert shown["entries"] == 1 and shown["bytes"] > 0
        assert (await http.delete("/admin/cache")).json()["error"]["code"] == "invalid_request"
        assert (await http.delete("/admin/cache?modell=x")).json()["error"]["param"] == "modell"
        assert (await http.delete("/admin/cache?model=other")).json()["purged"] == 0
        assert (await http.delete(f"/admin/cache?fingerprint={key}")).json()["purged"] == 1
        await plain(served, greedy())
        await settled(served)
        assert (await http.delete("/admin/cache?all=true")).json()["purged"] == 1


async def test_while_redis_is_away_everybody_is_answered_and_afterwards_shared_again(runs: list[str]) -> None:
    with redis_process() as server:
        async with serving(QUICK, redis_url=server.url) as served:
            body = greedy()
            first = await plain(served, body)
            await settled(served)
            assert (await plain(served, body)).headers["x-cache"] == "HIT"
            server.kill()
            for how in ("MISS", "HIT"):
                away = await plain(served, body)
                assert (away.status_code, away.headers["x-cache"]) == (200, how)
                await settled(served)
            async with client(served) as http:
                assert "hearth_cache_up 0.0" in (await http.get("/metrics")).text
            server.restart(keep_data=True)
            async with asyncio.timeout(20):
                while (await plain(served, body)).headers["x-cache-source-id"] != first.headers["x-generation-id"]:
                    pass
            assert (await plain(served, body)).headers["x-cache"] == "HIT"
