"""One real server for all tests of the whole: `hearth serve` with the bundled model on vLLM, as a user starts it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.serving import process

MODELS = ("campfire=vllm:bundled", "narrow=vllm:bundled?max_num_seqs=1", "demo=scripted:?token_ms=10")
"""The second is the same model on an engine that answers one at a time, so that others queue."""


class FirstLight(NamedTuple):
    """The server, and what was seen of it while its model was still booting."""

    url: str
    pid: int
    listening_s: float
    health: int
    readiness: httpx.Response
    models: Any
    page: httpx.Response
    early: list[tuple[float, str]]
    """Each line of a stream that was asked for at once, with the seconds since the server's start."""


def wait_until_ready(client: httpx.Client, seconds: float = 90) -> None:
    """Wait until every model is warm. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while client.get("/readyz").status_code != 200:
        if time.monotonic() > deadline:
            raise TimeoutError(client.get("/readyz").text)


@pytest.fixture(scope="session")
def served_vllm() -> Iterator[FirstLight]:
    """The server, warm."""
    began = time.monotonic()
    with (
        process(*(word for model in MODELS for word in ("--model", model)), ready=False) as server,
        httpx.Client(base_url=server.url, timeout=120) as client,
    ):
        listening_s = time.monotonic() - began
        health = client.get("/healthz").status_code
        readiness, models, page = client.get("/readyz"), client.get("/v1/models").json(), client.get("/")
        body = {
            "model": "campfire",
            "messages": [{"role": "user", "content": "Tell me a story about a fox."}],
            "temperature": 0,
            "stream": True,
        }
        early = []
        with client.stream("POST", "/v1/chat/completions", json=body) as stream:
            for line in stream.iter_lines():
                early.append((time.monotonic() - began, line))
        wait_until_ready(client)
        yield FirstLight(server.url, server.pid, listening_s, health, readiness, models, page, early)
