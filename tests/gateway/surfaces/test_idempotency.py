"""A retry with the same Idempotency-Key gets the same answer, on every route, from every replica."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from gateway.claims.base import Claim
from gateway.claims.redis import RedisClaims
from gateway.generation import new_id
from gateway.idempotency import digest, name_of
from gateway.keys import LOCAL
from gateway.redis.address import Address
from gateway.wire.chat import parse
from tests.gateway.surfaces.raw import CHAT, HELLO, engine_of, line
from tests.gateway.surfaces.talking import spoken, talking
from tests.gateway.surfaces.watching import text, watched
from tests.redis_server import redis_process
from tests.serving import Served, serving
from tests.waiting import until

TEXT: dict[str, Any] = {"model": "demo", "prompt": "Once", "max_tokens": 30}
SLOW = "demo=scripted:?tokens=30&token_ms=10"
ROUTES = pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/completions", TEXT)])
STREAMS = pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])


@pytest.fixture
def key() -> str:
    """One that no other test has: they share a Redis."""
    return secrets.token_hex(16)


@asynccontextmanager
async def client(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        yield http


async def post(served: Served, path: str, body: dict[str, Any], key: str, **headers: str) -> httpx.Response:
    async with client(served) as http:
        return await http.post(path, json=body, headers={"idempotency-key": key, **headers})


@asynccontextmanager
async def replicas(url: str, model: str = SLOW, **settings: Any) -> AsyncIterator[tuple[Served, Served]]:
    """Two servers on one Redis."""
    async with serving(model, redis_url=url, **settings) as one, serving(model, redis_url=url, **settings) as other:
        yield one, other


def generated(*servers: Served) -> int:
    """How many generations these have begun."""
    told = [server.gateway._metrics._started.collect() for server in servers]
    return int(
        sum(
            each.value
            for [metric] in told
            for each in metric.samples
            if each.name == "hearth_generations_started_total"
        )
    )


def said(response: httpx.Response) -> str:
    """The text of an answer, streamed or plain."""
    if response.headers["content-type"].startswith("application/json"):
        [choice] = response.json()["choices"]
        return str(choice["message"]["content"] if "message" in choice else choice["text"])
    frames = [json.loads(row[6:]) for row in response.text.splitlines() if row.startswith("data: {")]
    assert response.text.endswith("data: [DONE]\n\n"), response.text[-300:]
    return "".join(
        (choice["delta"].get("content") or "") if "delta" in choice else choice["text"]
        for frame in frames
        for choice in frame["choices"]
    )


def identity(response: httpx.Response) -> tuple[Any, ...]:
    """What makes an answer this one: its id and its time."""
    row = response.text.partition("data: ")[2].partition("\n")[0] or response.text
    body = json.loads(row)
    return body["id"], body["created"], response.headers["x-generation-id"], response.headers["location"]


# One server


@ROUTES
@STREAMS
async def test_a_retry_of_a_finished_call_has_its_answer_again(
    path: str, body: dict[str, Any], stream: bool, key: str
) -> None:
    async with serving() as served:
        first = await post(served, path, body | {"stream": stream}, key)
        again = await post(served, path, body | {"stream": stream}, key)
        assert said(first) == said(again) != ""
        assert stream or first.content == again.content
        assert identity(first) == identity(again)
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        assert generated(served) == 1


@ROUTES
async def test_a_retry_may_travel_otherwise(path: str, body: dict[str, Any], key: str) -> None:
    async with serving() as served:
        plain = await post(served, path, body | {"user": "one", "metadata": {"try": "1"}}, key)
        options = {"stream": True, "stream_options": {"include_usage": True}, "user": "two"}
        streamed = await post(served, path, body | options, key, x_resumable="1")
        assert said(plain) == said(streamed)
        assert identity(plain) == identity(streamed)
        assert generated(served) == 1


async def test_the_start_of_a_stream_is_told_again(key: str) -> None:
    async with serving() as served:
        first = await post(served, "/v1/streams", CHAT, key)
        frames = await watched(served.url, first.json()["id"])
        again = await post(served, "/v1/streams", CHAT, key)
        assert first.status_code == again.status_code == 201
        assert again.json() == first.json() | {"state": "finished"}
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["location"] == first.headers["location"]
        assert text(await watched(served.url, again.json()["id"])) == text(frames)
        assert generated(served) == 1


async def test_a_socket_creates_once(key: str) -> None:
    async with serving(SLOW) as served:
        async with talking(served.url) as talk:
            await talk.say("create", "a", request=CHAT, idempotency_key=key)
            attached = await talk.hear("a", "attached")
            assert "idempotent_replayed" not in attached
            await talk.hear("a", "delta")
            talk.connection.transport.abort()
        async with talking(served.url) as talk:
            await talk.say("create", "b", request=CHAT | {"user": "me"}, idempotency_key=key)
            again = await talk.hear("b", "attached")
            assert again["idempotent_replayed"] is True and again["from"] == 0
            assert again["generation"] == attached["generation"]
            heard = (await talk.to_the_end("b"))["b"]
            assert heard[-1]["state"] == "finished" and len(spoken(heard).split()) == 30
        assert generated(served) == 1


async def test_a_socket_is_told_what_is_wrong_with_a_key(key: str) -> None:
    async with serving() as served, talking(served.url) as talk:
        await talk.say("create", "a", request=CHAT, idempotency_key=key)
        await talk.to_the_end("a")
        for wrong, code in ((7, "invalid_request"), ("", "invalid_request"), (key, "idempotency_mismatch")):
            await talk.say("create", "b", request=CHAT | {"max_tokens": 2}, idempotency_key=wrong)
            refused = await talk.hear("b")
            assert (refused["t"], refused["code"], refused["retry"]) == ("error", code, False)


@ROUTES
async def test_another_body_is_refused(path: str, body: dict[str, Any], key: str) -> None:
    async with serving() as served:
        await post(served, path, body, key)
        refused = await post(served, path, body | {"seed": 7}, key)
        assert refused.status_code == 422
        error = refused.json()["error"]
        assert (error["code"], error["type"], error["retry"]) == (
            "idempotency_mismatch",
            "invalid_request_error",
            False,
        )
        assert refused.headers["x-should-retry"] == "false"
        assert generated(served) == 1


async def test_a_key_is_good_on_one_route(key: str) -> None:
    async with serving() as served:
        await post(served, "/v1/chat/completions", CHAT, key)
        assert (await post(served, "/v1/streams", CHAT, key)).status_code == 422


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/streams"])
@pytest.mark.parametrize("wrong", ["", "a b", "x" * 256])
async def test_a_key_that_is_none_is_a_bad_request(path: str, wrong: str) -> None:
    async with serving() as served:
        refused = await post(served, path, CHAT, wrong)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "Idempotency-Key")
        assert generated(served) == 0


async def test_two_keys_on_one_request_are_a_bad_request() -> None:
    async with serving() as served, client(served) as http:
        sent = [("idempotency-key", "a"), ("idempotency-key", "b")]
        assert (await http.post("/v1/chat/completions", json=CHAT, headers=sent)).status_code == 400


@STREAMS
async def test_a_call_that_was_cut_goes_on_for_its_retry(stream: bool, key: str) -> None:
    async with serving(SLOW) as served:
        async with line(served) as cut:
            await cut.post(CHAT | {"stream": stream}, idempotency_key=key)
            await until(lambda: engine_of(served).running == 1)
            if stream:
                await cut.hear(b'"delta":{"content":"')
            cut.drop()
        again = await post(served, "/v1/chat/completions", CHAT | {"stream": stream}, key)
        assert again.headers["idempotent-replayed"] == "true"
        assert len(said(again).split()) == 30
        assert engine_of(served).aborted == []
        assert generated(served) == 1


@STREAMS
async def test_a_call_that_nobody_comes_back_to_is_stopped_and_then_begun_anew(stream: bool, key: str) -> None:
    async with serving("demo=scripted:?prefill_ms=60000", abandon_after_s=0.05) as served:
        async with line(served) as cut:
            await cut.post(CHAT | {"stream": stream}, idempotency_key=key)
            await until(lambda: engine_of(served).running == 1)
        await until(lambda: served.gateway.running == 0)
        async with line(served) as again:
            await again.post(CHAT | {"stream": stream}, idempotency_key=key)
            await until(lambda: engine_of(served).running == 1)
        assert generated(served) == 2


async def test_a_call_that_was_stopped_stays_stopped(key: str) -> None:
    async with serving(SLOW) as served, client(served) as http:
        started = (await post(served, "/v1/streams", CHAT, key)).json()
        await http.delete(started["url"])
        again = await post(served, "/v1/streams", CHAT, key)
        assert (again.json()["id"], again.json()["state"]) == (started["id"], "canceled")
        assert generated(served) == 1


async def test_a_refusal_of_the_engine_is_told_again(key: str) -> None:
    async with serving("demo=scripted:?context_length=2") as served:
        long = CHAT | {"messages": [{"role": "user", "content": "far too many words for that"}]}
        for stream in (True, False, True):
            refused = await post(served, "/v1/chat/completions", long | {"stream": stream}, key)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
        assert generated(served) == 1


async def test_the_key_is_in_no_log_line(key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with serving() as served:
        for body in (CHAT, CHAT, TEXT | {"messages": HELLO, "seed": 1}):
            await post(served, "/v1/chat/completions", body, key)
    assert key not in caplog.text


# Several replicas


@ROUTES
@STREAMS
async def test_another_replica_attaches_while_it_runs(
    redis_url: str, path: str, body: dict[str, Any], stream: bool, key: str
) -> None:
    async with replicas(redis_url) as (one, other):
        async with line(one) as cut:
            await cut.post(body | {"stream": stream}, path, idempotency_key=key)
            await until(lambda: engine_of(one).running == 1)
            if stream:
                await cut.hear(b'"finish_reason":null')
            cut.drop()
        again = await post(other, path, body | {"stream": stream}, key)
        assert again.headers["idempotent-replayed"] == "true"
        assert len(said(again).split()) == 30
        whole = await post(one, path, body | {"stream": stream}, key)
        assert said(whole) == said(again) and identity(whole) == identity(again)
        assert generated(one, other) == 1 and engine_of(other).running == 0


async def test_of_many_equal_calls_to_two_replicas_at_once_one_generates(redis_url: str, key: str) -> None:
    async with replicas(redis_url) as (one, other):
        answers = await asyncio.gather(
            *(
                post([one, other][index % 2], "/v1/chat/completions", CHAT | {"stream": index % 3 == 0}, key)
                for index in range(24)
            )
        )
        assert generated(one, other) == 1
        assert len({identity(answer) for answer in answers}) == 1
        assert len({said(answer) for answer in answers}) == 1
        assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


async def test_sockets_and_streams_of_another_replica_attach_too(redis_url: str, key: str) -> None:
    async with replicas(redis_url) as (one, other):
        async with talking(one.url) as talk:
            await talk.say("create", "a", request=CHAT, idempotency_key=key)
            first = await talk.hear("a", "attached")
            talk.connection.transport.abort()
        async with talking(other.url) as talk:
            await talk.say("create", "a", request=CHAT, idempotency_key=key)
            again = await talk.hear("a", "attached")
            assert again["generation"] == first["generation"] and again["idempotent_replayed"] is True
            assert len(spoken((await talk.to_the_end("a"))["a"]).split()) == 30
        started = [(await post(server, "/v1/streams", CHAT, key + "s")).json() for server in (one, other)]
        assert started[0]["id"] == started[1]["id"] and started[0]["created"] == started[1]["created"]
        assert generated(one, other) == 2


async def test_another_body_is_refused_by_another_replica(redis_url: str, key: str) -> None:
    async with replicas(redis_url) as (one, other):
        await post(one, "/v1/streams", CHAT, key)
        assert (await post(other, "/v1/streams", CHAT | {"seed": 7}, key)).status_code == 422


@STREAMS
async def test_a_retry_finds_what_another_replica_has_taken_over(redis_url: str, stream: bool, key: str) -> None:
    async with serving(SLOW, redis_url=redis_url) as heir:
        async with serving(SLOW, redis_url=redis_url) as gone, line(gone) as cut:
            await cut.post(CHAT | {"stream": stream}, idempotency_key=key)
            await until(lambda: engine_of(gone).running == 1)
            cut.drop()
        await until(lambda: generated(gone) == 1 and heir.gateway.running == 1)
        again = await post(heir, "/v1/chat/completions", CHAT | {"stream": stream}, key)
        assert again.headers["idempotent-replayed"] == "true"
        assert len(said(again).split()) == 30
        assert generated(heir) == 0


async def test_a_key_of_a_replica_that_died_before_it_began_is_taken_after_a_while(redis_url: str, key: str) -> None:
    async with replicas(redis_url) as (one, other):
        claims = RedisClaims(Address.parse(redis_url), time.monotonic, 60)
        ask = parse(CHAT)
        mine = Claim(new_id("gen"), digest("chat", ask.model, ask.prompt))
        assert await claims.claim(name_of(LOCAL.namespace, key), mine) is None
        await claims.close()
        for server in (one, other):
            server.gateway._idempotency._begin_s = 0.5
        began = time.monotonic()
        answers = await asyncio.gather(
            *(post(server, "/v1/chat/completions", CHAT, key) for server in (one, other, one, other))
        )
        assert time.monotonic() - began >= 0.4
        assert len({identity(answer) for answer in answers}) == 1
        assert generated(one, other) == 1


async def test_while_redis_is_away_a_retry_finds_its_replica(key: str) -> None:
    with redis_process() as redis:
        async with serving(SLOW, redis_url=redis.url) as served:
            before = await post(served, "/v1/chat/completions", CHAT, key)
            redis.kill()
            meanwhile = await post(served, "/v1/chat/completions", CHAT, key + "m")
            for first, each in ((before, key), (meanwhile, key + "m")):
                again = await post(served, "/v1/chat/completions", CHAT, each)
                assert identity(again) == identity(first)
                assert again.headers["idempotent-replayed"] == "true"
            assert generated(served) == 2


# The official SDK


@asynccontextmanager
async def cutting(*servers: Served) -> AsyncIterator[str]:
    """An address in front of servers, one for each connection; all but the last are cut once the engine runs."""
    left = list(servers)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = left.pop(0) if len(left) > 1 else left[0]
        async with line(served) as there:
            ways = [asyncio.create_task(carry(reader, there.writer))]
            if served is left[-1]:
                ways.append(asyncio.create_task(carry(there.reader, writer)))
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            else:
                await until(lambda: engine_of(served).running == 1)
                writer.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
        writer.close()

    front = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with front:
        yield f"http://127.0.0.1:{front.sockets[0].getsockname()[1]}"


@STREAMS
async def test_python_sdk_that_retries_by_itself_is_given_the_one_answer(
    redis_url: str, stream: bool, key: str
) -> None:
    async with (
        replicas(redis_url) as (one, other),
        cutting(one, other) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=1) as sdk,
    ):
        ask: Any = {"model": "demo", "messages": HELLO, "extra_headers": {"Idempotency-Key": key}}
        if stream:
            chunks = [chunk async for chunk in await sdk.chat.completions.create(**ask, stream=True)]
            words = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        else:
            words = (await sdk.chat.completions.create(**ask)).choices[0].message.content or ""
        assert len(words.split()) == 30
        assert (generated(one), generated(other)) == (1, 0)
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            await sdk.chat.completions.create(**ask, seed=7)
        assert refused.value.code == "idempotency_mismatch"
