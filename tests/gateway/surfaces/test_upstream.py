"""The whole server before an upstream: what it counts, what it says beside, how it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.engines.openai.fake import DONE, Answer, Fake, event, faking, said, told
from tests.serving import serving

PATH = "/v1/chat/completions"
CHAT: dict[str, Any] = {"model": "far", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}
TOLD = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 8},
}


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with faking() as fake:
        fake.answer = Answer(
            [
                event(said("One", annotations=[{"at": 1}]), provider="P"),
                event({**said(" two", annotations=[{"at": 2}]), "score": 0.5}, provider="P"),
                event({**said(None, "stop"), "native_finish_reason": "end_turn"}, provider="P"),
                event(usage=USAGE),
                DONE,
            ]
        )
        yield fake


@pytest.fixture
async def http(fake: Fake) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(f"far=openai:{fake.url}") as served,
        httpx.AsyncClient(base_url=served.url, timeout=20) as http,
    ):
        # What was answered before the upstream said what it is, is nobody's answer afterwards.
        await http.post(PATH, json={**CHAT, "temperature": 1})
        yield http


async def streamed(http: httpx.AsyncClient, **more: Any) -> list[dict[str, Any]]:
    """Every chunk of a stream."""
    answer = await http.post(PATH, json={**CHAT, **more, "stream": True, "stream_options": {"include_usage": True}})
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def test_what_the_upstream_counted_is_told_and_kept(http: httpx.AsyncClient) -> None:
    first, again = [(await http.post(PATH, json=CHAT)) for _ in range(2)]
    assert first.json()["usage"] == TOLD
    assert (again.json()["usage"], again.headers["x-cache"]) == (TOLD, "HIT")
    assert (await streamed(http))[-1]["usage"] == TOLD


async def test_fields_without_a_name_here_stand_in_the_answer_where_they_stood(http: httpx.AsyncClient) -> None:
    for how in ("MISS", "HIT"):
        answer = await http.post(PATH, json=CHAT)
        assert answer.headers["x-cache"] == how
        body = answer.json()
        assert body["provider"] == "P"
        [choice] = body["choices"]
        assert choice["message"]["content"] == "One two"
        assert choice["message"]["annotations"] == [{"at": 1}, {"at": 2}]
        assert (choice["score"], choice["native_finish_reason"]) == (0.5, "end_turn")


async def test_fields_without_a_name_here_stand_in_the_chunks_where_they_stood(http: httpx.AsyncClient) -> None:
    for _ in range(2):
        chunks = [chunk for chunk in await streamed(http, temperature=0.0) if chunk["choices"]]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert [delta["annotations"] for delta in deltas if "annotations" in delta] == [[{"at": 1}], [{"at": 2}]]
        assert [chunk["provider"] for chunk in chunks if "provider" in chunk] == ["P"]
        assert chunks[-1]["choices"][0]["native_finish_reason"] == "end_turn"


async def test_a_completions_fields_stand_where_they_stood_too(fake: Fake, http: httpx.AsyncClient) -> None:
    pieces = [{"index": 0, "text": "One", "odd": 1}, {"index": 0, "text": " two", "finish_reason": "stop"}]
    fake.answer = Answer([*(event(piece, provider="P") for piece in pieces), DONE])
    asked = {"model": "far", "prompt": "hi", "max_tokens": 9}
    body = (await http.post("/v1/completions", json=asked)).json()
    assert (body["provider"], body["choices"][0]["text"], body["choices"][0]["odd"]) == ("P", "One two", 1)
    stream = await http.post("/v1/completions", json={**asked, "stream": True})
    first, last = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: {")]
    assert (first["provider"], first["choices"][0]["odd"]) == ("P", 1)
    assert "provider" not in last and "odd" not in last["choices"][0]


async def test_what_nobody_here_knows_is_asked_as_it_came(fake: Fake, http: httpx.AsyncClient) -> None:
    await http.post(PATH, json={**CHAT, "mirostat": 2})
    assert fake.asked[-1].body["mirostat"] == 2


async def test_what_is_for_the_upstream_alone_reaches_it_and_hearths_own_controls_do_not(
    fake: Fake, http: httpx.AsyncClient
) -> None:
    first = await http.post(PATH, json={**CHAT, "user": "ann", "service_tier": "flex", "cache": {"ttl": 5}})
    again = await http.post(PATH, json={**CHAT, "user": "bob"})
    assert {"user": "ann", "service_tier": "flex"}.items() <= fake.asked[-1].body.items()
    assert "cache" not in fake.asked[-1].body
    assert (first.headers["x-cache"], again.headers["x-cache"]) == ("MISS", "HIT")


async def test_what_a_usage_says_beside_the_counts_is_told(fake: Fake, http: httpx.AsyncClient) -> None:
    beside = {"completion_tokens_details": {"reasoning_tokens": 3}, "cost": 0.25}
    fake.answer = Answer([event(said("One", "stop")), event(usage={**USAGE, **beside}), DONE])
    assert (await http.post(PATH, json=CHAT)).json()["usage"] == {**TOLD, **beside}
    assert (await streamed(http))[-1]["usage"] == {**TOLD, **beside}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_value_nested_without_end_is_a_failure_of_the_upstream(
    fake: Fake, http: httpx.AsyncClient, stream: bool
) -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    fake.answer = Answer([event(said("One", "stop"), odd=deep), DONE])
    answer = await http.post(PATH, json={**CHAT, "stream": stream, "temperature": 1})
    assert answer.json()["error"]["code"] == "engine_failed"


async def test_an_upstream_that_is_busy_is_a_503_that_says_when_to_come_back(
    fake: Fake, http: httpx.AsyncClient
) -> None:
    fake.answer = told(429, {"error": {"message": "slow down"}}, "Retry-After: 7")
    for stream in (False, True):
        answer = await http.post(PATH, json={**CHAT, "stream": stream})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        assert answer.json()["error"]["code"] == "engine_busy"


async def test_what_the_upstream_refuses_is_the_callers_fault(fake: Fake, http: httpx.AsyncClient) -> None:
    fake.answer = told(400, {"error": {"message": "too hot", "param": "temperature"}})
    answer = await http.post(PATH, json=CHAT)
    assert answer.status_code == 400
    assert (answer.json()["error"]["param"], answer.json()["error"]["message"]) == ("temperature", "too hot")
