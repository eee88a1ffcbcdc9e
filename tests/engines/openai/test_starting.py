"""Upstreams that are started and stopped by commands."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engines.base import State
from engines.errors import EngineError
from engines.openai.engine import OpenAIEngine
from engines.openai.upstream import Upstream
from engines.pool import Pool
from engines.seat import Place
from tests.engines.asking import ask, chat
from tests.engines.openai.fake import Fake, faking, told
from tests.engines.openai.vllm_serve import free_port
from tests.turning import Turned
from tests.waiting import until

SERVER = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.say({"data": [{"id": "tiny"}]} if self.path == "/v1/models" else {})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["messages"][0]["content"] == "die":
            print("a last word", flush=True)
            os._exit(3)
        self.say({"choices": [{"message": {"content": "."}}]})

    def say(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

print("up", flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@asynccontextmanager
async def engine(port: int, **commands: tuple[str, ...]) -> AsyncIterator[OpenAIEngine]:
    upstream = Upstream(url=f"http://127.0.0.1:{port}/v1", start=commands["start"], stop=commands.get("stop", ()))
    engine = OpenAIEngine(upstream)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    async with faking() as fake:
        yield fake


def server(port: int) -> tuple[str, ...]:
    return (sys.executable, "-c", SERVER, str(port))


async def test_a_program_that_serves_runs_from_start_to_stop() -> None:
    stages: list[str] = []
    port = free_port()
    async with engine(port, start=server(port)) as mine:
        for _ in range(2):
            async with asyncio.timeout(20):
                await mine.start(stages.append)
            await mine.beat()
            await mine.stop()
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", port)
    assert stages[:2] == [f"asking 127.0.0.1:{port}", f"starting 127.0.0.1:{port}"]


async def test_one_that_is_there_already_is_not_started_again(fake: Fake) -> None:
    async with engine(
        int(fake.url.split(":")[2].partition("/")[0]), start=(sys.executable, "-c", "raise SystemExit(3)")
    ) as mine:
        async with asyncio.timeout(20):
            await mine.start(lambda stage: None)
        await mine.beat()


async def test_a_program_that_dies_is_told_and_its_last_words_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    async with engine(port, start=server(port)) as mine:
        async with asyncio.timeout(20):
            await mine.start(lambda stage: None)
        death = asyncio.create_task(mine.died())
        with pytest.raises(EngineError):
            await ask(mine, chat("die"))
        reason = await asyncio.wait_for(death, 10)
    assert reason == "The server ended with 3."
    assert "ended with 3, after saying: up" in caplog.text
    assert "a last word" in caplog.text


async def test_what_a_command_that_fails_said_is_for_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with engine(free_port(), start=("sh", "-c", "echo no room left; exit 3")) as mine:
        with pytest.raises(EngineError) as failed:
            await asyncio.wait_for(mine.start(lambda stage: None), 10)
    assert failed.value.code == "boot_failed"
    assert "sh ended with 3; the server's log has its last words" in failed.value.message
    assert "no room left" not in failed.value.message
    assert "sh ended with 3, after saying: no room left" in caplog.text


LEAVING = """
import asyncio, sys

from engines.openai.engine import OpenAIEngine
from engines.openai.upstream import Upstream

async def main():
    engine = OpenAIEngine(Upstream(url=sys.argv[1], start=tuple(sys.argv[2:])))
    await engine.start(lambda stage: None)
    print(engine._starting._program._process.pid)
    await engine.leave(others=True)
    await engine.close()

asyncio.run(main())
"""


async def test_a_program_that_is_left_to_others_outlives_the_process_that_started_it() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    leaving = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", LEAVING, url, *server(port), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        told, _ = await leaving.communicate()
    assert leaving.returncode == 0
    try:
        other = OpenAIEngine(Upstream(url=url))
        async with asyncio.timeout(20):
            await other.start(lambda stage: None)
        # It writes its log as it answers.
        await other.beat()
        await other.close()
    finally:
        os.kill(int(told), signal.SIGKILL)


async def test_a_program_that_was_left_to_others_is_still_known_when_it_is_to_be_stopped() -> None:
    port = free_port()
    async with engine(port, start=server(port)) as mine:
        for leave in (True, False):
            async with asyncio.timeout(20):
                await mine.start(lambda stage: None)
            await (mine.leave(others=True) if leave else mine.stop())
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_what_a_command_that_fails_has_begun_ends_with_it(tmp_path: Path) -> None:
    child = tmp_path / "child"
    async with engine(free_port(), start=("sh", "-c", f"sleep 1000 & echo $! > {child}; exit 3")) as mine:
        with pytest.raises(EngineError):
            await asyncio.wait_for(mine.start(lambda stage: None), 10)
    await until(lambda: not alive(int(child.read_text())))


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has buried yet does not."""
    try:
        return "(sleep) Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def test_a_command_that_is_not_there_fails_the_boot() -> None:
    async with engine(free_port(), start=("/no/such/program",)) as mine:
        with pytest.raises(EngineError) as failed:
            await mine.start(lambda stage: None)
    assert "/no/such/program cannot be run" in failed.value.message


async def test_a_command_may_begin_the_server_and_end(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, stopped = tmp_path / "started", tmp_path / "stopped"
    port = int(fake.url.split(":")[2].partition("/")[0])
    fake.once("/v1/models", told(503, {}))
    async with engine(port, start=("touch", str(started)), stop=("touch", str(stopped))) as mine:
        await mine.start(lambda stage: None)
        await until(started.exists)
        assert not stopped.exists()
        monkeypatch.setattr("engines.openai.starting._GONE_S", 0.3)
        with pytest.raises(EngineError, match="its stop command has ended, and it still answers"):
            await mine.stop()
        assert stopped.exists()


@pytest.mark.parametrize(
    ("stop", "why"),
    [
        ((), "let go of: it still runs, and has no stop command"),
        (
            ("sh", "-c", "echo sk-secret; exit 4"),
            "let go of: its stop command failed, and it may still run: "
            "sh ended with 4; the server's log has its last words",
        ),
    ],
)
async def test_what_cannot_be_stopped_is_told_to_run_on(fake: Fake, stop: tuple[str, ...], why: str) -> None:
    port = int(fake.url.split(":")[2].partition("/")[0])
    async with engine(port, start=("false",), stop=stop) as mine:
        pool = Pool([Place("demo", "demo", mine)], Turned())
        pool.warm("demo")
        seat = pool.seats["demo"]
        await until(lambda: seat.state is State.WARM)
        await pool.cool("demo")
        assert (seat.state, seat.stage) == (State.COLD, why)
        await pool.close()


async def test_a_switch_elsewhere_is_posted_to_and_not_told_the_key(fake: Fake) -> None:
    async with faking() as switch:
        on, off = (f"{switch.url.removesuffix('/v1')}/{name}" for name in ("on", "off"))
        switch.paths |= {"/on": told(200, {}), "/off": told(200, {})}
        mine = OpenAIEngine(Upstream(url=fake.url, key="sk-secret", start=("POST", on), stop=("POST", off)))
        fake.once("/v1/models", told(503, {}))
        await mine.start(lambda stage: None)
        await mine.stop()
        assert [(asked.method, asked.path) for asked in switch.asked] == [("POST", "/on"), ("POST", "/off")]
        assert not [asked for asked in switch.asked if "authorization" in asked.headers]


async def test_a_switch_that_refuses_fails_the_boot(fake: Fake) -> None:
    mine = OpenAIEngine(Upstream(url=fake.url, start=("POST", f"{fake.url}/on")))
    fake.once("/v1/models", told(503, {}))
    with pytest.raises(EngineError) as failed:
        await mine.start(lambda stage: None)
    await mine.close()
    assert "answered 404" in failed.value.message


async def test_one_that_runs_by_itself_and_is_not_there_fails_the_boot() -> None:
    mine = OpenAIEngine(Upstream(url=f"http://127.0.0.1:{free_port()}/v1"))
    with pytest.raises(EngineError) as failed:
        await mine.start(lambda stage: None)
    await mine.close()
    assert failed.value.code == "boot_failed"
    assert "cannot be reached" in failed.value.message


async def test_a_boot_that_is_called_off_leaves_nothing_behind() -> None:
    port = free_port()
    async with engine(port, start=("sleep", "1000")) as mine:
        stages: list[str] = []
        boot = asyncio.create_task(mine.start(stages.append))
        await until(lambda: len(stages) > 1)
        boot.cancel()
        await asyncio.wait([boot])
        async with asyncio.timeout(10):
            await mine.stop()


@pytest.fixture
def running() -> Iterator[tuple[int, int]]:
    """A server that somebody else has started: its port and its process."""
    port = free_port()
    process = subprocess.Popen(server(port), stdout=subprocess.DEVNULL)
    yield port, process.pid
    process.kill()
    process.wait()


async def test_a_server_that_takes_a_while_to_end_after_its_stop_command_is_waited_for(
    running: tuple[int, int],
) -> None:
    port, pid = running
    stop = ("sh", "-c", f"(sleep 0.5; kill {pid}) > /dev/null 2>&1 &")
    async with asyncio.timeout(20), engine(port, start=("false",), stop=stop) as mine:
        await until_it_listens(port)
        await mine.start(lambda stage: None)
        await mine.stop()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)


async def until_it_listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0)
        else:
            writer.close()
            return
