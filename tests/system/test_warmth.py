"""Real engines go cold when nobody asks, come back for whoever does, and are up when their hours begin."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.serving import Process, ask_until, process
from tests.system.test_first_light import descendants, runs

pytestmark = pytest.mark.timeout(240)


@contextmanager
def served(folder: Path, *lines: str) -> Iterator[tuple[Process, httpx.Client]]:
    """A server with these lines about its one model, on real vLLM."""
    file = folder / "hearth.toml"
    file.write_text("\n".join(['models = ["campfire=vllm:bundled"]', "[model.campfire]", *lines]))
    with process("--config", str(file), ready=False) as server, httpx.Client(base_url=server.url, timeout=90) as client:
        yield server, client


def state(client: httpx.Client) -> str:
    (model,) = client.get("/v1/models").json()["data"]
    return str(model["state"])


def names(pids: list[int]) -> str:
    """What those processes are, as the system shows them."""
    return " ".join(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in pids)


def test_an_idle_engine_is_gone_and_comes_back_for_a_caller_who_is_told_how_long_that_takes(tmp_path: Path) -> None:
    with served(tmp_path, "idle_seconds = 4") as (server, client):
        ask_until(lambda: state(client) == "warm", 90)
        family = descendants(server.pid)
        assert "EngineCore" in names(family)
        ask_until(lambda: state(client) == "cold", 30)
        gone = [pid for pid in family if not runs(pid)]
        left = [pid for pid in family if runs(pid)]
        # The host and its engine core; the nursery, which holds no model, stays for the next boot.
        assert len(gone) >= 2 and "EngineCore" not in names(left), names(left)
        body = {"model": "campfire", "messages": [{"role": "user", "content": "Tell me a story about a fox."}]}
        with client.stream("POST", "/v1/chat/completions", json=body | {"stream": True, "temperature": 0}) as stream:
            lines = [line for line in stream.iter_lines() if line]
        assert lines[0].startswith(": booting campfire") and "(about " in lines[0], lines[0]
        chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
        assert "fox" in "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
        assert lines[-1] == "data: [DONE]"
        again = [pid for pid in descendants(server.pid) if pid not in family]
        assert "EngineCore" in names(again)


def test_an_engine_is_up_before_the_first_minute_of_its_hours_is_over(tmp_path: Path) -> None:
    opens = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    closes = opens + timedelta(hours=1)
    hours = f'active_hours = ["daily {opens:%H:%M}-{closes:%H:%M}"]'
    with served(tmp_path, hours, "heartbeat_s = 1") as (_, client):
        ask_until(lambda: state(client) == "warm", 90)
        assert time.time() < opens.timestamp() + 60
        # Nobody has asked; heartbeats keep it from the moment at which a boot would have had to begin.
        passed = 'hearth_heartbeats_total{model="campfire",outcome="passed"}'
        ask_until(lambda: passed in client.get("/metrics").text, 90)
        assert state(client) == "warm"
