"""What is downloaded, and where it ends up; nothing is downloaded here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from loadtest import __main__ as command
from loadtest.peers import setup
from loadtest.peers.setup import NEEDS, Need, set_up
from loadtest.servers import ServerError


def lists() -> list[Path]:
    return [Path(setup.__file__).parent / f"{name}.txt" for name in NEEDS]


@pytest.mark.parametrize("listed", lists(), ids=lambda path: path.stem)
def test_every_version_is_exact(listed: Path) -> None:
    """What is measured today can be measured again."""
    lines = [line.partition(" --hash")[0] for line in listed.read_text(encoding="utf-8").splitlines()]
    asked = [Requirement(line) for line in lines if line and not line.startswith("#")]

    assert asked and all(str(each.specifier).startswith("==") for each in asked)


def test_the_plan_is_told_and_nothing_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", f"loadtest peers setup --into {tmp_path} --dry-run".split())

    assert command.main() == 0
    told = capsys.readouterr().out
    assert "vllm-rs: downloads about" in told and "litellm: downloads about" in told
    assert f"-m venv {tmp_path / 'litellm'}" in told and "--require-hashes" in told
    assert not list(tmp_path.iterdir())


def test_only_what_needs_something_can_be_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", f"loadtest peers setup floor --into {tmp_path}".split())

    assert command.main() == 2
    assert "nothing is downloaded for floor; only for vllm-rs, litellm" in capsys.readouterr().err


def test_the_list_says_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", f"loadtest peers list --into {tmp_path}".split())

    assert command.main() == 0
    rows = {line.split("|")[1].strip(): line for line in capsys.readouterr().out.splitlines()}
    assert "no: peers setup litellm" in rows["litellm-granian"] and rows["floor"].rstrip("| ").endswith("yes")


class Fetched(Need):
    """Its wheel comes from a folder."""

    def commands(self, folder: Path) -> list[Sequence[str]]:
        pack = (
            "import pathlib, sys, zipfile\n"
            "home = pathlib.Path(sys.argv[1])\n"
            "[(home / name).mkdir(parents=True) for name in ('bin', 'wheel')]\n"
            "with zipfile.ZipFile(home / 'wheel' / 'a.whl', 'w') as archive:\n"
            "    archive.writestr('a/tool', '#!/bin/sh\\necho here\\n')\n"
            "    archive.writestr('a/rest', 'rest')\n"
        )
        return [[sys.executable, "-c", pack, str(folder / self.name)]]


def test_of_a_wheel_one_file_is_kept_and_it_runs(tmp_path: Path) -> None:
    said: list[str] = []
    need = Fetched("tool", 1, 1, file="a/tool")
    program = set_up(need, tmp_path, said.append)

    assert program.read_text(encoding="utf-8").startswith("#!") and program.stat().st_mode & 0o111
    assert [path.name for path in (tmp_path / "tool").iterdir()] == ["bin"]
    assert set_up(need, tmp_path, said.append) == program
    assert said == [need.told(tmp_path), "tool is there already"]


def test_a_step_that_fails_shows_its_last_words(tmp_path: Path) -> None:
    class Failing(Need):
        def commands(self, folder: Path) -> list[Sequence[str]]:
            return [[sys.executable, "-c", "raise SystemExit('no such version')"]]

    with pytest.raises(ServerError, match="no such version"):
        set_up(Failing("tool", 1, 1), tmp_path, print)
    assert not Need("tool", 1, 1).made(tmp_path).exists()
