"""`hearth serve --workers 2`: two processes on one port with one engine host, and the death of any of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Process, process
from tests.system.test_first_light import descendants, runs, wait_until_gone
from tests.system.test_replicas import read, story
from tests.system.vllm_counts import until_vllm_holds

pytestmark = pytest.mark.timeout(240)


def called(pid: int) -> str:
    """A process's command line; empty when it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def workers(server: Process) -> list[int]:
    return [pid for pid in descendants(server.pid) if "gateway.worker" in called(pid) and runs(pid)]


def host(server: Process) -> int:
    """The one process that the nursery forked."""
    [nursery] = [
        pid for pid in descendants(server.pid) if "nursery" in called(pid) and "nursery" not in called(parent(pid))
    ]
    [found] = [pid for pid in descendants(nursery) if parent(pid) == nursery]
    return found


def parent(pid: int) -> int:
    """The process above; 0 when this one is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Nothing is taken by this process for a while, so that all new connections go to another."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def chat(content: str, **parameters: Any) -> dict[str, Any]:
    """A question that wants a run of its own, whoever asked it before."""
    body = {"model": "campfire", "messages": [{"role": "user", "content": content}], "cache": {"no-store": True}}
    return {**body, **parameters}


ENDLESS = chat("x", max_tokens=1900, ignore_eos=True, stream=True)


def told(url: str, **parameters: Any) -> str:
    """A short greedy answer, streamed over a connection of its own."""
    body = chat("Tell me a story about a fox.", temperature=0, max_tokens=40, stream=True)
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body | parameters, timeout=60) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]", lines
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


def ready(url: str, seconds: float = 60) -> None:
    """Wait until whoever answers is warm."""
    deadline = time.monotonic() + seconds
    with httpx.Client(timeout=10) as client:
        while client.get(f"{url}/readyz").status_code != 200:
            assert time.monotonic() < deadline


def ready_each(server: Process, seconds: float = 60) -> list[int]:
    """Wait until there are two workers and each is warm."""
    deadline = time.monotonic() + seconds
    while len(both := workers(server)) != 2:
        assert time.monotonic() < deadline, both
    for silent in both:
        with frozen(silent):
            ready(server.url, seconds)
    return both


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    """Two workers with the bundled model on vLLM; whoever kills one waits until there are two again."""
    with process("--workers", "2", "--model", "campfire=vllm:bundled", "--lease-s", "1") as started:
        yield started


def test_each_worker_streams_from_the_one_host(server: Process) -> None:
    both = ready_each(server)
    answers = []
    for silent in both:
        with frozen(silent):
            answers.append(told(server.url))
    assert answers[0] == answers[1] != ""
    assert host(server)


def test_metrics_are_those_of_all_workers_whoever_is_asked(server: Process) -> None:
    both = ready_each(server)
    # What another worker shows is at most a second old.
    deadline = time.monotonic() + 10
    while 'hearth_model_state{model="campfire",state="warm"} 2.0' not in httpx.get(f"{server.url}/metrics").text:
        assert time.monotonic() < deadline
    with frozen(both[0]):
        told(server.url)
    with frozen(both[1]):
        told(server.url)
    seen = set()
    for silent in both:
        with frozen(silent):
            text = httpx.get(f"{server.url}/metrics").text
            seen |= {line for line in text.splitlines() if line.startswith("hearth_generations_started_total")}
    [line] = seen
    assert float(line.rpartition(" ")[2]) >= 2


async def test_a_worker_that_is_killed_takes_only_its_own_streams_along_and_is_followed_by_another(
    server: Process,
) -> None:
    both = ready_each(server)
    engine = host(server)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as one, httpx.AsyncClient(timeout=60) as two:
        url = f"{server.url}/v1/chat/completions"
        with frozen(both[1]):
            doomed = await one.send(one.build_request("POST", url, json=ENDLESS), stream=True)
        with frozen(both[0]):
            going_on = await two.send(two.build_request("POST", url, json=ENDLESS | {"max_tokens": 600}), stream=True)
        lines = [going_on.aiter_lines(), doomed.aiter_lines()]
        await asyncio.gather(*(anext(each) for each in lines))
        before = started(server)
        os.kill(both[0], signal.SIGKILL)
        with pytest.raises(httpx.HTTPError):
            async for _ in lines[1]:
                pass
        assert [line async for line in lines[0] if line][-1] == "data: [DONE]"
        for response in (doomed, going_on):
            await response.aclose()
        # Its lanes are given up in the engine, and its counts stay in the sums.
        await until_vllm_holds(two_at(server, two), "campfire", 0, 5)
    assert started(server) >= before
    after = ready_each(server)
    assert both[1] in after and both[0] not in after
    assert host(server) == engine


def two_at(server: Process, client: httpx.AsyncClient) -> httpx.AsyncClient:
    client.base_url = httpx.URL(server.url)
    return client


def started(server: Process) -> float:
    text = httpx.get(f"{server.url}/metrics").text
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("hearth_generations_started_total")
    )


def test_an_answer_goes_on_to_the_letter_in_the_other_worker_when_its_own_is_killed(server: Process) -> None:
    both = ready_each(server)
    with frozen(both[1]), httpx.Client(timeout=60) as client:
        expected = read(client, server.url, story(client, server.url, "a fox")).text
        id = story(client, server.url, "a fox")
        seen = read(client, server.url, id, count=5)
    os.kill(both[0], signal.SIGKILL)
    with httpx.Client(timeout=60) as client:
        rest = read(client, server.url, id, seen.position)
    assert rest.ended and "note" in rest.kinds
    assert seen.text + rest.text == expected
    ready_each(server)


async def test_no_connection_is_lost_when_a_worker_dies_with_some_waiting(server: Process) -> None:
    """They wait in a queue that is nobody's own."""
    both = ready_each(server)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        with frozen(both[1]), frozen(both[0]):
            asking = [asyncio.create_task(client.get("/healthz")) for _ in range(20)]
            await asyncio.wait(asking, timeout=0.2)
            os.kill(both[0], signal.SIGKILL)
        assert {response.status_code for response in await asyncio.gather(*asking)} == {200}
    ready_each(server)


def test_a_host_that_is_killed_is_told_to_each_worker_and_booted_once(server: Process) -> None:
    both = ready_each(server)
    engine = host(server)
    os.kill(engine, signal.SIGKILL)
    wait_until_gone([engine], 10)
    deadline = time.monotonic() + 60
    while True:
        with suppress(ValueError):
            new = host(server)
            if new != engine:
                break
        assert time.monotonic() < deadline
    assert ready_each(server) == both
    assert told(server.url)
    assert host(server) == new


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_supervisor(number: signal.Signals) -> None:
    with process("--workers", "2", "--model", "campfire=vllm:bundled") as started:
        family = descendants(started.pid)
        # Redis, two workers, the nursery, the host, the engine core.
        assert len(family) >= 6
        folder = Path(called(workers(started)[0]).split()[-1])
        assert folder.is_dir()
        os.kill(started.pid, number)
        wait_until_gone([started.pid, *family], 30)
        assert not folder.exists()


def test_no_process_outlives_a_supervisor_that_is_killed_while_its_model_boots() -> None:
    with process("--workers", "2", "--model", "campfire=vllm:bundled", ready=False) as started:
        family = descendants(started.pid)
        assert len(family) >= 3
        os.kill(started.pid, signal.SIGKILL)
        wait_until_gone([started.pid, *family], 30)


def test_a_model_that_is_cooled_by_hand_is_gone_for_all_workers_until_it_is_warmed(server: Process) -> None:
    ready_each(server)
    before = host(server)
    with httpx.Client(base_url=f"{server.url}/admin/models/campfire", timeout=120) as client:
        cooled = client.post("/cool", params={"wait": 1, "drain_s": 5})
        assert (cooled.status_code, cooled.json()["state"]) == (200, "cold")
        [engine] = cooled.json()["engines"]
        assert len(engine["replicas"]) == 2
        wait_until_gone([before], 10)
        warmed = client.post("/warm", params={"wait": 1})
        assert (warmed.status_code, warmed.json()["state"]) == (200, "warm")
    ready_each(server)
    assert host(server) != before
