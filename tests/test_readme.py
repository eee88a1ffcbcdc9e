"""The README's snippets, run as they stand against a server that calls a script by the model's name."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.nodejs import run_node
from tests.serving import Served, serving

README = (Path(__file__).parent.parent / "README.md").read_text()
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")


def snippet(lead: str) -> str:
    """The first block of code after those words."""
    found = re.search(rf"{re.escape(lead)}.*?\n```\w*\n(.*?)\n```", README, re.DOTALL)
    assert found, lead
    return found[1]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving("campfire=scripted:?answer=once+upon+a+time") as running:
        yield running


async def run(*command: str) -> str:
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 0
    return said.decode()


@needs_curl
async def test_curl(served: Served) -> None:
    said = await run("sh", "-c", snippet("**curl**").replace("http://localhost:8000", served.url))
    assert '"delta":{"content":"once' in said and said.endswith("data: [DONE]\n\n")


async def test_openai(served: Served) -> None:
    said = await run(sys.executable, "-c", snippet("**OpenAI's client**").replace("http://localhost:8000", served.url))
    assert said == "once upon a time"


@needs_curl
async def test_one_answer_many_readers(served: Served) -> None:
    start, follow = (
        snippet("**One answer, many readers**").replace("http://localhost:8000", served.url).split("\ncurl -N")
    )
    begun = json.loads(await run("sh", "-c", f"{start} -s"))
    told = await asyncio.gather(
        *(run("sh", "-c", f"curl -sN{follow.replace('gen_...', begun['id'])}") for _ in range(2))
    )
    assert all(said.count("event: end") == 1 and "once" in said for said in told)


async def test_websocket(served: Served) -> None:
    shown = snippet("**A WebSocket**").replace("localhost:8000", served.url.removeprefix("http://"))
    leave = "socket.addEventListener('message', ({ data }) => JSON.parse(data).t === 'end' && socket.close());"
    said = [json.loads(line) for line in (await run_node("--eval", f"{shown}\n{leave}")).splitlines()]
    assert "".join(frame.get("d", "") for frame in said) == "once upon a time"
    assert (said[0]["t"], said[-1]["t"]) == ("attached", "end")
