"""Bad input of every kind is told clearly, in OpenAI's shape, and reaches no engine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire import parameters
from gateway.wire.parameters import BOTH, TEXT
from tests.gateway.surfaces.raw import CHAT, HELLO, PATH, line
from tests.serving import Served, serving

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
LIMIT = 2000


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A server on which nothing may be started."""
    async with serving(max_body_bytes=LIMIT) as served:
        yield served
        assert served.gateway._logs.held == []  # type: ignore[attr-defined]


async def post(served: Served, content: Any, path: str = PATH) -> httpx.Response:
    async with httpx.AsyncClient(base_url=served.url, timeout=10, verify=False) as client:
        return await client.post(path, content=content)


def error_of(response: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert error.keys() >= {"message", "type", "code", "param"}
    assert response.headers["x-request-id"]
    return error


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b'{"model": "demo"} {}', "bad_json"),
        (b'{"model": "\xff\xfe"}', "bad_json"),
        (b'{"model": "\xed\xa0\x80"}', "bad_json"),
        (b'{"model": "\\ud800"}', "bad_json"),
        (b'{"temperature": NaN}', "bad_json"),
        (b"[" * 1500, "bad_json"),
        (b"[]", "invalid_request"),
        (b"null", "invalid_request"),
        (b'"hello"', "invalid_request"),
    ],
)
async def test_body_that_is_no_json_object_is_refused(served: Served, body: bytes, code: str) -> None:
    response = await post(served, body)
    assert (response.status_code, error_of(response)["code"]) == (400, code)
    assert error_of(response)["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", [PATH, "/v1/completions"])
async def test_field_at_fault_is_named(served: Served, path: str) -> None:
    ask = {"model": "demo", "messages" if path == PATH else "prompt": HELLO if path == PATH else "a"}
    response = await post(served, json.dumps(ask | {"temperature": 3}), path)
    assert (response.status_code, error_of(response)["param"]) == (400, "temperature")
    assert response.headers["x-should-retry"] == "false"


async def test_number_past_every_float_is_refused(served: Served) -> None:
    body = json.dumps(CHAT)[:-1] + ', "temperature": 1e999}'
    assert (await post(served, body.encode())).status_code == 400


async def test_unknown_model_is_told_with_the_one_that_was_meant(served: Served) -> None:
    response = await post(served, json.dumps(CHAT | {"model": "Demo"}))
    error = error_of(response)
    assert (response.status_code, error["code"], error["param"]) == (404, "unknown_model", "model")
    assert "'demo'" in error["message"]


async def test_a_page_of_another_site_may_not_spend_this_servers_work() -> None:
    async with serving() as served, httpx.AsyncClient(base_url=served.url, timeout=10) as client:
        for path in (PATH, "/v1/completions", "/v1/streams"):
            body = CHAT if path != "/v1/completions" else {"model": "demo", "prompt": "x"}
            refused = await client.post(path, json=body, headers={"origin": "https://elsewhere.example"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "foreign_origin")
            taken = await client.post(path, json=body, headers={"origin": served.url})
            assert taken.status_code in (200, 201)


async def test_body_too_large_is_refused(served: Served) -> None:
    response = await post(served, b" " * (LIMIT + 1))
    assert (response.status_code, error_of(response)["code"]) == (413, "body_too_large")
    assert response.headers["connection"] == "close"


async def test_body_too_large_is_refused_without_a_declared_length(served: Served) -> None:
    async with line(served) as client:
        await client.send(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(3):
            await client.send(b"%x\r\n%b\r\n" % (LIMIT // 2, b" " * (LIMIT // 2)))
        assert b" 413 " in await client.hear(b"\r\n")
        assert b'"code":"body_too_large"' in await client.rest()


async def test_body_that_does_not_arrive_is_not_waited_for() -> None:
    async with serving(body_deadline_s=0.05) as served, line(served) as client:
        await client.send(HEAD + b'content-length: 100\r\n\r\n{"model":')
        assert b" 408 " in await client.hear(b"\r\n")
        assert b'"code":"request_timeout"' in await client.rest()


async def test_wrong_method_says_which_is_right(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, timeout=10, verify=False) as client:
        response = await client.get(PATH)
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


ODD = st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=3)
VALUES = ODD | st.lists(ODD, max_size=2) | st.dictionaries(st.sampled_from(["type", "role", "content", "a"]), ODD)
NAMES = st.sampled_from(sorted({"messages", "prompt", "stream", "stream_options", *BOTH, *TEXT, *parameters.CHAT}))


async def test_no_body_whatever_breaks_the_server() -> None:
    bodies: list[dict[str, Any]] = []

    @settings(deadline=None, max_examples=60, database=None)
    @given(st.dictionaries(NAMES, VALUES, max_size=3))
    def draw(fields: dict[str, Any]) -> None:
        bodies.append(fields)

    draw()
    asks = ((PATH, CHAT), ("/v1/completions", {"model": "demo", "prompt": "a"}))
    async with serving("demo=scripted:?tokens=2") as served:
        for body in bodies:
            for path, ask in asks:
                response = await post(served, json.dumps(ask | body), path)
                assert response.status_code in (200, 400), body
