"""Several workers as one server: what it tells, and how it ends. Scripted engines, which live in each worker."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import httpx
import pytest

from tests.gateway.cli.test_serve import log_of, until
from tests.serving import process
from tests.system.test_first_light import descendants, runs, wait_until_gone
from tests.system.test_workers import called, frozen

SLOW = ("--workers", "2", "--model", "demo=scripted:?token_ms=40&tokens=50")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine."""
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)


async def both_of(child: asyncio.subprocess.Process) -> list[int]:
    """The workers, when there are two that live."""
    while True:
        found = [pid for pid in descendants(child.pid) if "gateway.worker" in called(pid) and runs(pid)]
        if len(found) == 2:
            return found
        await asyncio.sleep(0)


async def begin(url: str, silent: int) -> asyncio.Task[list[str]]:
    """A stream through the worker that is not silent, under way."""
    client = httpx.AsyncClient(timeout=30)
    body = {"model": "demo", "prompt": "x", "stream": True}
    with frozen(silent):
        response = await client.send(client.build_request("POST", f"{url}/v1/completions", json=body), stream=True)

    async def read() -> list[str]:
        try:
            return [line async for line in response.aiter_lines() if line]
        finally:
            await response.aclose()
            await client.aclose()

    return asyncio.create_task(read())


async def test_what_there_is_to_tell_is_told_once() -> None:
    async with log_of("--workers", "3", "--model", "demo=scripted:") as (child, lines):
        seen = await until(lines, "workers")
        assert seen[0].startswith("Hearth 0.") and " listens at http://127.0.0.1:" in seen[0]
        url = seen[0].rpartition(" ")[2]
        assert seen[1:] == [
            f"  chat page   {url}/",
            f"  OpenAI API  {url}/v1",
            f"  Replicate   {url}/replicate",
            "  models      demo",
            "  workers     3",
        ]
        child.send_signal(signal.SIGTERM)
        assert await until(lines, "stopped") == ["stopping", "stopped"]
        assert await lines.read() == b""
        assert await child.wait() == 0


async def test_all_workers_let_their_answers_end_when_the_supervisor_is_asked_to() -> None:
    async with log_of(*SLOW) as (child, lines):
        url = (await until(lines, "workers"))[0].rpartition(" ")[2]
        both = await both_of(child)
        streams = [await begin(url, silent) for silent in both]
        child.send_signal(signal.SIGTERM)
        await until(lines, "draining: 2 answers may end within 20 s; a second Ctrl-C does not wait")
        assert [said[-1] for said in await asyncio.gather(*streams)] == ["data: [DONE]"] * 2
        await until(lines, "stopped")
        assert await child.wait() == 0
        wait_until_gone(both, 5)


async def test_a_second_signal_does_not_wait_for_answers() -> None:
    async with log_of("--drain-s", "600", "--workers", "2", "--model", "demo=scripted:?stall_at=1") as (child, lines):
        url = (await until(lines, "workers"))[0].rpartition(" ")[2]
        family = descendants(child.pid)
        both = await both_of(child)
        streams = [await begin(url, silent) for silent in both]
        child.send_signal(signal.SIGINT)
        await until(lines, "draining: 2 answers")
        child.send_signal(signal.SIGINT)
        await until(lines, "stopped")
        assert await child.wait() == 0
        wait_until_gone(family, 5)
        await asyncio.gather(*streams, return_exceptions=True)


async def test_a_worker_that_stands_still_does_not_keep_the_rest_from_ending() -> None:
    async with log_of(*SLOW) as (child, lines):
        await until(lines, "workers")
        both = await both_of(child)
        with frozen(both[0]):
            child.send_signal(signal.SIGTERM)
            await until(lines, "stopping")
            child.send_signal(signal.SIGTERM)
            await until(lines, "stopped")
            wait_until_gone(both, 5)


async def test_a_worker_that_dies_is_told_and_followed_by_another_and_no_call_fails_meanwhile() -> None:
    async with log_of(*SLOW) as (child, lines):
        url = (await until(lines, "workers"))[0].rpartition(" ")[2]
        both = await both_of(child)
        os.kill(both[0], signal.SIGKILL)
        told = (await until(lines, "was killed"))[-1]
        assert re.fullmatch(
            r"WARNING gateway.post: worker \d was killed by signal 9; another one takes its place in 0.5 s", told
        )
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/healthz")).status_code == 200
        after = await both_of(child)
        assert both[1] in after and both[0] not in after


async def test_a_local_redis_that_is_killed_is_started_again_and_streams_go_on() -> None:
    async with log_of(*SLOW) as (child, lines):
        url = (await until(lines, "workers"))[0].rpartition(" ")[2]
        both = await both_of(child)
        stream = await begin(url, both[0])
        [redis] = [pid for pid in descendants(child.pid) if "redis-server" in called(pid)]
        os.kill(redis, signal.SIGKILL)
        await until(lines, "WARNING gateway.supervisor: The local Redis ended by itself, and was started again.")
        assert (await stream)[-1] == "data: [DONE]"
        async with httpx.AsyncClient(timeout=10) as client, asyncio.timeout(20):
            while (await client.get(f"{url}/readyz")).json()["degraded"]:
                pass
        assert len([pid for pid in descendants(child.pid) if "redis-server" in called(pid) and runs(pid)]) == 1


async def test_settings_reach_the_workers_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also those of a file that is gone when a worker is started again."""
    file = tmp_path / "here.toml"
    file.write_text('models = ["odd=scripted:"]\nworkers = 2\n')
    async with log_of("--config", str(file), "--max-body-bytes", "100") as (child, lines):
        url = (await until(lines, "workers"))[0].rpartition(" ")[2]
        both = await both_of(child)
        file.unlink()
        os.kill(both[0], signal.SIGKILL)
        await until(lines, "was killed")
        [new] = set(await both_of(child)) - {both[1]}
        with frozen(both[1]):
            async with httpx.AsyncClient(timeout=20) as client:
                assert (await client.get(f"{url}/v1/models")).json()["data"][0]["id"] == "odd"
                large = {"model": "odd", "prompt": "x" * 100}
                assert (await client.post(f"{url}/v1/completions", json=large)).status_code == 413
        assert runs(new)


def test_one_process_needs_neither_a_supervisor_nor_redis() -> None:
    with process("--model", "demo=scripted:") as alone:
        assert descendants(alone.pid) == []
