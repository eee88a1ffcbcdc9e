"""Replicas on real vLLM die by kill -9, and their answers go on elsewhere to the letter."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import httpx
import pytest

from tests.serving import Process, process
from tests.vllm_server import wait_until_ready

pytestmark = pytest.mark.timeout(300)

LEASE_S = 1.0


class Read(NamedTuple):
    """What a watcher saw: its text, the names of its events, its last position, the longest silence."""

    text: str
    kinds: list[str]
    position: str
    ended: bool


@pytest.fixture(scope="module")
def replicas(redis_url: str) -> Iterator[list[Process]]:
    """Three of them, each with an engine of its own."""
    words = ("--model", "campfire=vllm:bundled", "--redis-url", redis_url, "--lease-s", str(LEASE_S))
    with ExitStack() as stack:
        # All boot at the same time.
        made = [stack.enter_context(process(*words, ready=False)) for _ in range(3)]
        for each in made:
            with httpx.Client(base_url=each.url, timeout=10) as client:
                wait_until_ready(client)
        yield made


def story(client: httpx.Client, url: str, topic: str) -> str:
    """The id of a new greedy story."""
    body = {
        "model": "campfire",
        "messages": [{"role": "user", "content": f"Tell me a story about {topic}."}],
        "temperature": 0,
        "max_tokens": 200,
        "cache": {"no-store": True},
    }
    id: str = client.post(f"{url}/v1/streams", json=body).json()["id"]
    return id


def read(client: httpx.Client, url: str, id: str, after: str = "", count: int | None = None) -> Read:
    """Watch to the end, or so many deltas."""
    text, kinds, position, ended = "", [], after, False
    with client.stream("GET", f"{url}/v1/streams/{id}", params={"after": after} if after else None) as stream:
        assert stream.status_code == 200, stream.read()
        for line in stream.iter_lines():
            if line.startswith("id: "):
                position = line[4:]
            elif line.startswith("event: "):
                kinds.append(line[7:])
            elif line.startswith("data: "):
                data: dict[str, Any] = json.loads(line[6:])
                text += data.get("d", "")
                ended |= kinds[-1] == "end" and data["state"] == "finished"
                if count is not None and kinds.count("delta") >= count:
                    break
    return Read(text, kinds, position, ended)


def test_a_killed_writers_story_goes_on_to_the_letter_on_another_replica(replicas: list[Process]) -> None:
    one, two, three = replicas
    with httpx.Client(timeout=60) as client:
        expected = {topic: read(client, three.url, story(client, three.url, topic)).text for topic in ("a fox", "rain")}
        assert all(len(text) > 100 for text in expected.values())

        # Its own watcher is cut with it, and comes back to another replica with its last position.
        id = story(client, one.url, "a fox")
        seen = read(client, one.url, id, count=5)
        os.kill(one.pid, signal.SIGKILL)
        rest = read(client, two.url, id, seen.position)
        assert rest.ended
        assert seen.text + rest.text == expected["a fox"]
        assert "note" in rest.kinds
        assert rest.position.partition("-")[0] == seen.position.partition("-")[0]
        assert read(client, three.url, id).text == expected["a fox"]

        # Who watches elsewhere just waits a moment.
        id = story(client, two.url, "rain")
        read(client, two.url, id, count=20)
        os.kill(two.pid, signal.SIGKILL)
        watched = read(client, three.url, id)
        assert (watched.text, watched.ended) == (expected["rain"], True)
