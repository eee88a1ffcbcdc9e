"""Two servers, turn by turn, from the command line to the tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtest import __main__ as command
from loadtest.compare import Comparison, compare
from loadtest.servers import Recipe, ServerError, running

FAKE = Path(__file__).parent / "fake_openai.py"


def recipe(name: str) -> Recipe:
    return Recipe(name, [sys.executable, str(FAKE), "{port}"], "/health")


def test_a_comparison_takes_turns_and_leaves_its_figures(tmp_path: Path) -> None:
    """A B A B, three rounds; every run is kept, medians and ratios are told."""
    said: list[str] = []
    comparison = Comparison((recipe("a"), recipe("b")), [1, 4], 3, 8, 2, said.append)
    compared = compare(comparison, tmp_path)

    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results) == 2 * 2 * 3
    assert {(run["tokens"], *run["errors"]) for run in results} == {(12 * 8,)}
    assert all(run["total_us_per_token"] is not None for run in results)
    turns = [line.split()[4] for line in said if line.startswith("round")]
    assert turns == ["a", "b"] * 6
    assert (tmp_path / "table.md").read_text() == compared.tables() + "\n"
    assert "a/b" in compared.tables() and not compared.failed


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
