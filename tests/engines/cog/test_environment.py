"""A predictor's own environment, made by uv."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engines.cog import environment
from engines.cog.source import Recipe, parse
from engines.errors import EngineError

PACKAGE = """
[project]
name = "a-package-of-its-own"
version = "1.0"
"""


def recipe(folder: Path, *packages: str) -> Recipe:
    folder.mkdir(exist_ok=True)
    lines = "".join(f"    - {package}\n" for package in packages)
    (folder / "cog.yaml").write_text(
        f"build:\n  python_packages:\n{lines or '    []'}\npredict: predict.py:Predictor\n"
    )
    (folder / "predict.py").touch()
    made = parse(str(folder), {})
    assert isinstance(made, Recipe)
    return made


async def test_it_is_made_once_however_many_ask_at_once(tmp_path: Path) -> None:
    stages: list[list[str]] = [[], [], []]
    asking = recipe(tmp_path / "it")
    found = await asyncio.gather(*(environment.find(asking, tmp_path / "cache", {}, told.append) for told in stages))
    assert len(set(found)) == 1
    assert sorted(map(bool, stages)) == [False, False, True]
    program = await asyncio.create_subprocess_exec(found[0], "-c", "import cog, coglet")
    assert await program.wait() == 0


async def test_one_that_was_given_up_half_way_is_made_anew(tmp_path: Path) -> None:
    asking = recipe(tmp_path / "it")
    making = asyncio.Event()
    first = asyncio.create_task(environment.find(asking, tmp_path / "cache", {}, lambda stage: making.set()))
    await asyncio.wait_for(making.wait(), 10)
    first.cancel()
    await asyncio.wait([first])
    found = await environment.find(asking, tmp_path / "cache", {}, lambda stage: None)
    assert Path(found).exists()


async def test_what_cannot_be_installed_is_told_in_the_installers_words(tmp_path: Path) -> None:
    asking = recipe(tmp_path / "it", "there-is-no-such-package-at-all==7.0")
    with pytest.raises(EngineError) as caught:
        await environment.find(asking, tmp_path / "cache", {"UV_OFFLINE": "1"}, lambda stage: None)
    assert caught.value.code == "boot_failed"
    assert "there-is-no-such-package-at-all" in caught.value.message


def test_other_packages_are_another_environment(tmp_path: Path) -> None:
    from engines.cog.version import environment_of

    one, same, other = (recipe(tmp_path / "it", *names) for names in (("a", "b"), ("b", "a"), ("a", "c")))
    assert environment_of(one) == environment_of(same) != environment_of(other)
