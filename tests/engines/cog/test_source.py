"""How a predictor is named, and what its cog.yaml says."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import registry
from engines.cog.source import Container, Recipe, parse
from engines.cog.version import version_of
from engines.errors import EngineError


def folder(place: Path, written: str) -> str:
    (place / "predict.py").touch()
    (place / "cog.yaml").write_text(written)
    return str(place)


def test_all_that_matters_of_a_cog_yaml_is_read(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# what it needs\ntorch==2.13.0\n\npillow\n")
    written = """
build:
  gpu: true
  python_version: 3.12
  python_requirements: requirements.txt
  python_packages: ["numpy"]
  system_packages: ["ffmpeg"]
  run: ["echo hello"]
environment: ["HF_HUB_OFFLINE=1", "MODE=a=b"]
concurrency: {max: 4}
predict: "predict.py:Predictor"
"""
    recipe = parse(folder(tmp_path, written), {"env.MODE": "c", "start_s": "5"})
    assert recipe == Recipe(
        folder=tmp_path,
        reference="predict.py:Predictor",
        packages=("numpy", "torch==2.13.0", "pillow"),
        python_version="3.12",
        concurrency=4,
        ignored=("system_packages", "run"),
        python=None,
        start_s=5.0,
        environment={"HF_HUB_OFFLINE": "1", "MODE": "c"},
    )


def test_an_address_is_a_container() -> None:
    assert parse("http://10.0.0.1:5000/", {"concurrency": "2"}) == Container("http://10.0.0.1:5000", 2, 600.0)
    guarded = parse("http://me:p%40ss@[::1]:5000/a", {})
    assert guarded == Container("http://[::1]:5000/a", 1, 600.0, "Basic bWU6cEBzcw==")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[", "is no YAML"),
        ("- a", "holds no mapping"),
        ("build: a\npredict: predict.py:P", "`build` in cog.yaml is no mapping"),
        ("build: {}", "names no predictor"),
        ("predict: predict.py", "names no predictor"),
        ("predict: other.py:P", "other.py, which cog.yaml names, is not in"),
        ("predict: predict.py:P\nconcurrency: {max: none}", "concurrency.max must be a number"),
        ("predict: predict.py:P\nbuild: {python_requirements: none.txt}", "none.txt, which cog.yaml names"),
        ("predict: predict.py:P\nbuild: {python_packages: torch}", "is no list of words"),
        ("predict: predict.py:P\nenvironment: {A: b}", "is no list of NAME=VALUE"),
    ],
)
def test_what_a_cog_yaml_lacks_is_told(tmp_path: Path, written: str, told: str) -> None:
    with pytest.raises(EngineError) as refused:
        parse(folder(tmp_path, written), {})
    assert refused.value.code == "bad_model_source"
    assert told in refused.value.message


@pytest.mark.parametrize(
    ("source", "knobs", "told"),
    [
        ("/none", {}, "/none/cog.yaml cannot be read: No such file or directory"),
        ("http://", {}, "is no address"),
        ("http://me:secret@h:port", {}, "is no address"),
        ("http://h", {"python": "p"}, "a container has its own environment"),
        ("http://h", {"start_s": "soon"}, "start_s must be a number"),
        ("http://h", {"concurrency": "0"}, "concurrency must be a number"),
        ("http://h", {"speed": "1"}, "no knob 'speed'"),
    ],
)
def test_what_names_no_predictor_is_told(source: str, knobs: dict[str, str], told: str) -> None:
    with pytest.raises(EngineError) as refused:
        parse(source, knobs)
    assert told.lower() in refused.value.message.lower()


def test_several_workers_would_each_have_a_copy_and_are_refused(tmp_path: Path) -> None:
    model = registry.ModelSource("it", "cog", folder(tmp_path, "predict: predict.py:P"), {})
    elsewhere = registry.Elsewhere("server", lambda id: pytest.fail("nobody asks for a host"))
    with pytest.raises(EngineError) as refused:
        registry.build([model], elsewhere)
    assert "workers = 1" in refused.value.message


def test_the_content_of_what_a_variable_names_is_part_of_the_version(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    source = folder(tmp_path / "it", 'predict: "predict.py:Predictor"')
    weights, places = tmp_path / "weights.bin", {"env.HF_HOME": str(tmp_path)}
    versions = set()
    for words in ("one", "two", "two"):
        weights.write_text(words)
        recipe = parse(source, {"env.WEIGHTS": str(weights), **places})
        assert isinstance(recipe, Recipe)
        versions.add(version_of(recipe))
    assert len(versions) == 2
