"""OpenAI's routes on a real socket: answers, headers, comments, ends."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest

from tests.gateway.surfaces.raw import CHAT, HELLO, PATH, line
from tests.gateway.wire.openai_frames import frames_of, heard
from tests.serving import Served, serving
from tests.waiting import until

TEXT: dict[str, Any] = {"model": "demo", "prompt": "hello", "max_tokens": 3}


async def post(served: Served, body: dict[str, Any], path: str = PATH, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=served.url, timeout=10, verify=False) as client:
        return await client.post(path, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def get(served: Served, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=served.url, timeout=10, verify=False) as client:
        return await client.get(path)


def chunks(response: httpx.Response) -> list[Any]:
    return [frame.data for frame in frames_of(response.content) if frame.comment is None]


@pytest.mark.parametrize(("path", "body"), [(PATH, CHAT), ("/v1/completions", TEXT)])
async def test_stream_and_plain_answer_say_the_same(path: str, body: dict[str, Any]) -> None:
    async with serving("demo=scripted:?tokens=5") as served:
        plain = await post(served, body | {"n": 2}, path)
        stream = await post(served, body | {"n": 2, "stream": True}, path)
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["x-accel-buffering"] == "no"
    assert plain.headers["content-type"] == "application/json"
    *said, done = chunks(stream)
    assert done == "[DONE]"
    assert heard(said) == heard([plain.json()])
    assert len(heard(said)) == 2


async def test_usage_is_counted_by_the_engine() -> None:
    async with serving("demo=scripted:?tokens=5") as served:
        plain = await post(served, CHAT | {"messages": [{"role": "user", "content": "one two three"}]})
        stream = await post(served, CHAT | {"stream": True, "stream_options": {"include_usage": True}})
    assert plain.json()["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "total_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    *_, last, _ = chunks(stream)
    assert last["usage"]["total_tokens"] == 6 and last["choices"] == []


@pytest.mark.parametrize("stream", [True, False])
async def test_headers_name_the_request_and_the_generation(stream: bool) -> None:
    async with serving() as served:
        named = await post(served, CHAT | {"stream": stream}, x_request_id="mine-1")
        other = await post(served, CHAT | {"stream": stream}, x_request_id="x" * 129)
        id = named.headers["x-generation-id"]
        watched = await get(served, named.headers["location"])
    assert named.headers["x-request-id"] == "mine-1"
    assert re.fullmatch(r"req_[0-9a-f]{32}", other.headers["x-request-id"])
    assert named.headers["location"] == f"/v1/streams/{id}"
    assert watched.status_code == 200


async def test_each_call_has_its_own_id() -> None:
    async with serving() as served:
        first, second = [(await post(served, CHAT)).json()["id"] for _ in range(2)]
    assert first.startswith("chatcmpl-") and first != second


async def test_text_is_the_prompts_own() -> None:
    async with serving("demo=scripted:?tokens=40&token_ms=1") as served:
        prompts = [str(number) for number in range(20)]
        asks = [CHAT | {"messages": [{"role": "user", "content": text}], "stream": True} for text in prompts]
        together = await asyncio.gather(*(post(served, ask) for ask in asks))
        alone = [await post(served, ask) for ask in asks]
    texts = [heard(chunks(response)[:-1])[0]["text"] for response in together]
    assert len(set(texts)) == 20
    assert texts == [heard(chunks(response)[:-1])[0]["text"] for response in alone]


async def test_boot_is_told_in_comments_and_then_answered() -> None:
    async with serving("demo=scripted:?boot_ms=50&tokens=2", preload=False) as served:
        stream = await post(served, CHAT | {"stream": True})
    assert stream.text.startswith(": booting demo: ")
    assert chunks(stream)[-1] == "[DONE]"


async def test_silence_is_filled_with_comments() -> None:
    async with serving("demo=scripted:?stall_at=1", keep_alive_s=0.02) as served, line(served) as client:
        await client.post(CHAT | {"stream": True})
        said = await client.hear(b": keep-alive\n\n")
    assert b'"content":' in said


async def test_first_token_does_not_wait_for_the_second() -> None:
    async with serving("demo=scripted:?stall_at=1") as served, line(served) as client:
        await client.post(CHAT | {"stream": True})
        await client.hear(b'"delta":{"content":"')


@pytest.mark.parametrize(("knobs", "code"), [("crash_at=3", "engine_died"), ("fail_at=3", "engine_failed")])
async def test_failure_after_the_first_byte_is_an_error_frame(knobs: str, code: str) -> None:
    async with serving(f"demo=scripted:?{knobs}&token_ms=1") as served:
        stream = await post(served, CHAT | {"stream": True})
        plain = await post(served, CHAT)
    assert stream.status_code == 200
    *said, last = chunks(stream)
    assert heard(said)[0]["finish"] is None and heard(said)[0]["text"]
    assert (last["error"]["code"], last["error"]["param"]) == (code, None)
    assert "[DONE]" not in stream.text
    assert plain.json()["error"]["code"] == code
    assert plain.status_code == (503 if code == "engine_died" else 500)
    assert plain.headers["x-should-retry"] == "true"
    assert plain.headers["x-generation-id"]


async def test_boot_that_fails_is_told_by_the_status_of_a_plain_answer() -> None:
    async with serving("demo=scripted:?boot_fails=1", preload=False) as served:
        plain = await post(served, CHAT)
        stream = await post(served, CHAT | {"stream": True})
    assert (plain.status_code, plain.json()["error"]["code"]) == (503, "boot_failed")
    assert chunks(stream)[-1]["error"]["code"] == "boot_failed"


@pytest.mark.parametrize("stream", [True, False])
async def test_refusal_of_a_warm_engine_is_told_by_the_status(stream: bool) -> None:
    async with serving("demo=scripted:?context_length=2") as served:
        await until(lambda: served.gateway.pool.seats["demo"].state == "warm")
        refused = await post(served, {"model": "demo", "prompt": "one two three", "stream": stream}, "/v1/completions")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert refused.headers["x-generation-id"] and refused.headers["x-request-id"]


async def test_stopped_generation_ends_its_stream_as_canceled() -> None:
    async with serving("demo=scripted:?stall_at=2") as served, line(served) as client:
        await client.post(CHAT | {"stream": True})
        head = await client.hear(b"\r\n\r\n")
        await client.hear(b'"content":"')
        [id] = re.findall(rb"x-generation-id: (\S+)", head)
        await served.gateway.cancel(id.decode(), "local")
        said = await client.hear(b'"retry":false}}\n\n')
    assert b'"code":"canceled"' in said and b"[DONE]" not in said


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "one of several"])
@pytest.mark.parametrize("stream", [True, False])
async def test_server_that_goes_down_says_so(stream: bool, shared: bool, redis_url: str) -> None:
    store = {"redis_url": redis_url} if shared else {}
    async with serving("demo=scripted:?stall_at=2", **store) as served, line(served) as client:
        await client.post(CHAT | {"stream": stream}, connection="close")
        await until(lambda: served.gateway.running == 1)
        if stream:
            await client.hear(b'"content":"')
        await served.gateway.drain(0)
        said = await client.rest()
        late = await post(served, CHAT)
    assert b'"code":"draining"' in said and b"[DONE]" not in said
    assert (late.status_code, late.headers["x-should-retry"]) == (503, "true")


async def test_plain_answer_that_another_replica_would_end_is_refused_at_once(redis_url: str) -> None:
    async with serving("demo=scripted:?stall_at=2", redis_url=redis_url) as served:
        asking = asyncio.create_task(post(served, CHAT))
        await until(lambda: served.gateway.running == 1)
        await served.gateway.drain(0)
        answer = await asyncio.wait_for(asking, 4)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "draining")
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-should-retry"] == "true"


async def test_resumable_stream_names_positions_to_go_on_from() -> None:
    async with serving("demo=scripted:?tokens=4") as served:
        stream = await post(served, CHAT | {"stream": True}, x_resumable="1")
        plain = await post(served, CHAT | {"stream": True})
        frames = frames_of(stream.content)
        middle = frames[1].id
        rest = await get(served, f"{stream.headers['location']}?after={middle}")
        over = await get(served, f"{stream.headers['location']}?after={frames[-1].id}")
    assert all(frame.id for frame in frames if frame.comment is None)
    assert not any(frame.id for frame in frames_of(plain.content))
    assert '"state":"finished"' in rest.text
    assert over.status_code == 204


async def test_models_are_listed_with_their_warmth() -> None:
    async with serving("demo=scripted:", "org/big=scripted:?context_length=7", preload=False) as served:
        listed = (await get(served, "/v1/models")).json()
        one = await get(served, "/v1/models/org/big")
        none = await get(served, "/v1/models/dem")
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["demo", "org/big"]
    assert {name: one.json()[name] for name in ("id", "object", "owned_by", "state", "context_length")} == {
        "id": "org/big",
        "object": "model",
        "owned_by": "hearth",
        "state": "cold",
        "context_length": 7,
    }
    assert one.headers["x-request-id"]
    assert (none.status_code, none.json()["error"]["code"]) == (404, "unknown_model")
    assert "did you mean 'demo'" in none.json()["error"]["message"]


async def test_answer_of_megabytes_arrives_whole() -> None:
    async with serving("demo=scripted:?tokens=2000&word_bytes=1000", generation_bytes=64 << 20) as served:
        plain = await post(served, CHAT | {"messages": HELLO})
        stream = await post(served, CHAT | {"stream": True})
    said = heard(chunks(stream)[:-1])[0]["text"]
    assert len(said) > 1_900_000
    assert said == plain.json()["choices"][0]["message"]["content"]
