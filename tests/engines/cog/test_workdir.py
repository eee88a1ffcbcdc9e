"""The folder in which a predictor runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.cog.workdir import Workdir


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A predictor's; workdirs lie beside it."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    made = tmp_path / "predictor"
    (made / "weights").mkdir(parents=True)
    (made / "weights" / "one.bin").write_text("large")
    (made / "predict.py").write_text("here")
    (made / ".cog").mkdir()
    return made


def test_it_looks_like_the_predictors_and_what_is_written_stays_in_it(folder: Path) -> None:
    workdir = Workdir(folder)
    assert (workdir.path / "weights" / "one.bin").read_text() == "large"
    (workdir.path / "new.txt").write_text("new")
    workdir.describe({"paths": {}, "components": {"schemas": {}}})
    workdir.remove()
    assert not workdir.path.exists()
    assert sorted(path.name for path in folder.iterdir()) == [".cog", "predict.py", "weights"]
    assert not any((folder / ".cog").iterdir())
    assert (folder / "weights" / "one.bin").read_text() == "large"


def test_cog_is_told_that_every_predictor_streams(folder: Path) -> None:
    workdir = Workdir(folder)
    workdir.describe({"paths": {}, "components": {"schemas": {"Input": {}}}})
    written = json.loads((workdir.path / ".cog" / "openapi_schema.json").read_text())
    assert written["paths"]["/predictions"]["post"]["x-cog-streaming"] is True
    assert written["components"] == {"schemas": {"Input": {}}}
    workdir.remove()


def test_what_a_killed_server_left_is_taken_away_by_the_next_and_nothing_else(folder: Path) -> None:
    left, used = Workdir(folder), Workdir(folder)
    left._lock.close()
    fresh = Workdir(folder)
    assert [made.path.exists() for made in (left, used, fresh)] == [False, True, True]
    for made in (used, fresh):
        made.remove()
