"""What the command refuses before it computes anything."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from loadtest.plan import PlanError
from loadtest.warmth import command


def warmth(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    arguments = parser.parse_args(["warmth", *words])
    return int(arguments.do(arguments))


@pytest.mark.parametrize("option", ["--svg", "--json"])
def test_a_file_in_a_folder_that_is_not_there_is_refused(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        warmth(option, str(tmp_path / "away" / "file"))
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert f"there is no folder {tmp_path / 'away'}" in told.err and not told.out


def test_a_budget_below_nothing_is_told() -> None:
    with pytest.raises(PlanError, match="A budget of -1 a day is none: it is 0 or more"):
        warmth("--budget", "-1")


def test_a_record_that_ends_before_the_last_judged_week_is_told(tmp_path: Path) -> None:
    record = tmp_path / "record.csv"
    record.write_text("1789380000\n1789980000\n")
    told = "from 2026-09-14 to 2026-09-21, which is 2 weeks, and 4 of history and 4 that are judged are 8"
    with pytest.raises(PlanError, match=told):
        warmth("--recorded", str(record))
