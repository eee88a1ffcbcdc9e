"""Results that were left in files are shown again, and set beside each other."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest import __main__ as command
from loadtest.compare.results import SPEED, Results
from loadtest.compare.saved import saved
from loadtest.compare.tables import text
from loadtest.figures import Figures
from loadtest.plan import PlanError
from tests.loadtest.measured import MACHINE, beside, figures


def left_by_run(file: Path, told: Figures) -> Path:
    facts = {"load": "chat", "command": "python -m loadtest run", "machine": asdict(MACHINE)}
    file.write_text(json.dumps(facts | told.as_json()))
    return file


def left_by_compare(file: Path, told: Results) -> Path:
    file.write_text(json.dumps(told.as_json()))
    return file


def test_two_runs_stand_beside_each_other(tmp_path: Path) -> None:
    """By the names of their files, whatever their loads were."""
    ours = left_by_run(tmp_path / "ours.json", figures(300, seconds=5))
    theirs = left_by_run(tmp_path / "theirs.json", figures(100))
    told = saved([ours, theirs])
    assert (told.names, told.against, len(told.levels)) == (["ours", "theirs"], "theirs", 1)
    assert told.ratio("ours", told.levels[0], SPEED).median == 3


def test_a_comparison_is_shown_as_it_was(tmp_path: Path) -> None:
    told = beside(["hearth", "vllm"])
    assert text(saved([left_by_compare(tmp_path / "results.json", told)])) == text(told)


def test_runs_by_one_name_are_refused(tmp_path: Path) -> None:
    one = left_by_run(tmp_path / "run.json", figures())
    with pytest.raises(PlanError, match="another name"):
        saved([one, one])


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"runs": 1}', '{"runs": []}', "{"])
def test_a_file_that_holds_no_results_is_refused(said: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(said)
    with pytest.raises(PlanError, match=r"other\.json holds no run"):
        saved([file])


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="holds no run"):
        saved([tmp_path / "nothing.json"])


def test_files_become_a_page_and_pictures_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = left_by_compare(tmp_path / "results.json", beside(["hearth", "relay", "vllm"]))
    page, pictures, again = tmp_path / "report.html", tmp_path / "plots", tmp_path / "again.json"
    line = f"loadtest compare --files {file} --against hearth --html {page} --svg {pictures} --json {again}"
    monkeypatch.setattr(sys, "argv", line.split())
    assert command.main() == 0

    assert "vllm/hearth, median" in capsys.readouterr().out
    assert "relay in ratio to hearth" in page.read_text()
    assert len(list(pictures.glob("*.svg"))) == 14
    assert ElementTree.parse(pictures / "throughput.svg").findall(".//{*}polyline")
    assert json.loads(again.read_text())["against"] == "hearth"


@pytest.mark.parametrize(
    ("words", "said"),
    [("", "--model"), ("--files nothing.json", "holds no run"), ("hearth hearth --model x", "named once")],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["loadtest", "compare", *words.split()])
    assert command.main() == 2
    assert said in capsys.readouterr().err
