"""How boots are timed and told. The servers are played."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from loadtest.boots.boot import Boot, watch
from loadtest.boots.report import text
from loadtest.boots.run import AGAIN, FIRST, Plan, Results
from loadtest.plan import PlanError
from loadtest.servers import ServerError, free_port

BOOTING = b""": booting bench: importing vLLM

: booting bench: loading the weights

data: {"choices": [{"index": 0, "text": ""}]}

data: {"choices": [{"index": 0, "text": "fire"}]}

data: [DONE]

"""


@contextmanager
def served(status: int, answer: bytes) -> Iterator[int]:
    """The port of a server that answers so."""

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join(10)


def test_a_boot_ends_with_the_first_text_and_keeps_what_was_told_before_it() -> None:
    with served(200, BOOTING) as port:
        boot = watch(port, time.monotonic(), lambda: True)
    assert [stage for stage, _ in boot.stages] == ["importing vLLM", "loading the weights"]
    assert 0 <= boot.listening <= boot.stages[0][1] <= boot.first_token


@pytest.mark.parametrize(("status", "answer", "said"), [(503, b"no room", "503: no room"), (200, b"", "no token")])
def test_an_answer_that_is_none_is_told(status: int, answer: bytes, said: str) -> None:
    with served(status, answer) as port, pytest.raises(ServerError, match=said):
        watch(port, time.monotonic(), lambda: True)


def test_a_server_that_is_gone_is_not_waited_for() -> None:
    with pytest.raises(ServerError, match="log"):
        watch(free_port(), time.monotonic(), lambda: False)


def test_a_stage_lasts_until_the_next_one_and_the_last_one_until_the_token() -> None:
    boot = Boot(0.2, 9.0, [("importing vLLM", 0.5), ("loading the weights", 8.0)])
    assert boot.spans() == {"importing vLLM": 7.5, "loading the weights": 1.0}


def test_the_tables_hold_every_server_and_the_stages_that_took_time() -> None:
    results = Results()
    results.note("hearth", FIRST, Boot(0.25, 9.0, [("importing vLLM", 0.5), ("nothing", 8.0), ("loading", 8.001)]))
    results.note("hearth", AGAIN, Boot(0.0, 1.0, [("loading", 0.0)]))
    results.note("hearth", AGAIN, Boot(0.0, 2.0, [("loading", 0.0)]))
    results.note("vllm", FIRST, Boot(40.0, 40.5))
    told = text(results)
    assert "| hearth | again | 2     | 0.00 (0.00..0.00)    | 1.50 (1.00..2.00)" in told
    assert "| vllm   | first | 1     | 40.00 (40.00..40.00) | 40.50" in told
    assert "| importing vLLM | 7.50          | 0.00          |" in told
    assert "nothing" not in told
    assert [boot["server"] for boot in results.as_json()] == ["hearth", "hearth", "hearth", "vllm"]


def test_an_older_hearth_is_measured_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "old" / "gateway").mkdir(parents=True)
    now, before, uni, stock = Plan(before=tmp_path / "old").recipes(tmp_path)
    assert (now.folder, before.folder) == (tmp_path, tmp_path / "old")
    assert now.command == before.command
    assert [recipe.name for recipe in Plan(only=["vllm"]).recipes(tmp_path)] == ["vllm"]
    assert uni.command[-1] == "uni" and "--enforce-eager" not in stock.command


@pytest.mark.parametrize("plan", [{"rounds": 0}, {"agains": -1}, {"before": Path("/nowhere")}, {"only": ["sglang"]}])
def test_a_plan_that_cannot_be_is_refused(plan: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        Plan(**plan)
