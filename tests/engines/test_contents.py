"""Folders by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import contents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    made.mkdir()
    (made / "predict.py").write_text("code")
    return made


@pytest.mark.parametrize("name", [".env", ".hidden/words.txt", "deep/.config", ".gitignore", "linked/words.txt"])
def test_whatever_a_program_may_read_in_its_folder_counts(folder: Path, name: str) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder / "linked").symlink_to(folder.parent / "elsewhere")
    before = contents.source(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("one")
    one = contents.source(folder)
    (folder / name).write_text("two")
    assert len({before, one, contents.source(folder)}) == 3


@pytest.mark.parametrize("name", [".git/config", "__pycache__/predict.pyc", "deep/__pycache__/x", ".cog/x", ".venv/x"])
def test_what_is_left_beside_a_program_does_not_count(folder: Path, name: str) -> None:
    before = contents.source(folder)
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("one")
    assert contents.source(folder) == before


def test_a_link_that_leads_back_is_not_followed_for_ever(folder: Path) -> None:
    (folder / "again").symlink_to(folder)
    assert len(contents.source(folder)) == 64
