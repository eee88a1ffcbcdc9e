"""Servers, turn by turn, from the command line to the tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtest import __main__ as command
from loadtest.compare.tables import text
from loadtest.compare.turns import Comparison, compare
from loadtest.plan import PlanError
from loadtest.servers import Recipe, ServerError, running

FAKE = Path(__file__).parent.parent / "fake_openai.py"


def recipe(name: str) -> Recipe:
    return Recipe(name, [sys.executable, str(FAKE), "{port}"], "/health")


def silently(said: str) -> None:
    """Say nothing."""


def test_a_comparison_takes_turns_and_leaves_its_figures(tmp_path: Path) -> None:
    """A B C, then C B A; every run is kept, medians and ratios are told."""
    said: list[str] = []
    names = ["a", "b", "c"]
    comparison = Comparison(
        list(map(recipe, names)), "b", levels=[1, 4], rounds=3, say=said.append, max_tokens=8, requests_per_stream=2
    )
    compared = compare(comparison, tmp_path)

    results = json.loads((tmp_path / "results.json").read_text())
    runs = [run["figures"] for run in results["runs"]]
    assert len(runs) == 3 * 2 * 3
    assert {(run["tokens"], *run["errors"]) for run in runs} == {(12 * 8,)}
    assert all(run["total_us_per_token"] is not None for run in runs)
    assert results["machine"]["cores"] > 0 and "uvicorn" in results["versions"]["a"]
    turns = [line.split()[4] for line in said if line.startswith("round")]
    assert turns == [*names, *names, *names[::-1], *names[::-1], *names, *names]
    assert (tmp_path / "table.md").read_text() == text(compared) + "\n"
    assert "a/b" in text(compared) and "c/b" in text(compared) and not compared.failed


def test_a_comparison_from_the_command_line_leaves_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that made it."""
    monkeypatch.setattr("loadtest.compare.command.recipe", lambda name, stage: recipe(name))
    size = "--levels 2 --rounds 1 --requests-per-stream 1 --max-tokens 4"
    line = f"compare a b --against a --model {tmp_path} {size} --html {tmp_path}/page.html --out {tmp_path}/logs"
    monkeypatch.setattr(sys, "argv", ["loadtest/__main__.py", *line.split()])
    assert command.main() == 0

    assert "b/a, median" in capsys.readouterr().out
    page = (tmp_path / "page.html").read_text()
    assert "b in ratio to a, 2 streams at a time" in page and f"python -m loadtest {line}" in page


@pytest.mark.parametrize(("names", "against"), [(["a"], "a"), (["a", "a"], "a"), (["a", "b"], "c")])
def test_what_cannot_be_compared_is_refused(names: list[str], against: str) -> None:
    """One server, the same one twice, or a measure that is not among them."""
    with pytest.raises(PlanError):
        Comparison(list(map(recipe, names)), against, [1], 1, silently)


def test_a_server_is_gone_with_its_block(tmp_path: Path) -> None:
    """Nothing is left running."""
    with running(recipe("a"), tmp_path) as server:
        assert Path(f"/proc/{server.pid}").exists()
    assert not Path(f"/proc/{server.pid}").exists()


def test_a_server_that_dies_shows_its_last_words(tmp_path: Path) -> None:
    """Instead of waiting for it."""
    broken = Recipe("broken", [sys.executable, "-c", "raise SystemExit('no model here')"], "/health")
    with pytest.raises(ServerError, match="no model here"), running(broken, tmp_path):
        raise AssertionError("it cannot be ready")


def test_one_run_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server's process is found by its port; the table is printed, the JSON kept."""
    figures = tmp_path / "figures.json"
    with running(recipe("a"), tmp_path) as server:
        line = f"loadtest run --url {server.url} --model demo --requests 6 --max-tokens 5 --json {figures}"
        monkeypatch.setattr(sys, "argv", line.split())
        assert command.main() == 0

    assert "tok/s" in capsys.readouterr().out
    kept = json.loads(figures.read_text())
    assert (kept["tokens"], kept["processes"][0]["pid"]) == (30, server.pid)


def test_another_machine_is_refused_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a sentence, not a traceback."""
    monkeypatch.setattr(sys, "argv", "loadtest run --url http://10.0.0.1:8000".split())

    assert command.main() == 2
    assert "is not this machine" in capsys.readouterr().err
