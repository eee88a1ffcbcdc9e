"""The name of what determines a model's answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engines.vllm.hosting import BUNDLED
from engines.vllm.version import identity_of, version_of


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with small files, and weights that are too large to be read whole."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"hidden_size": 8}')
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "vocab.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * (1 << 15))
    return folder


def name(folder: Path, more: tuple[str, ...] = (), **knobs: str) -> str | None:
    return version_of(str(folder), None, knobs, more)


def test_a_copy_elsewhere_is_the_same_model(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    (copy / ".git").mkdir()
    (copy / ".git" / "HEAD").write_text("main")
    assert name(model) == name(copy)


@pytest.mark.parametrize("file", ["config.json", "tokenizer/vocab.json", "model.safetensors"])
def test_another_file_is_another_model(model: Path, file: str) -> None:
    before = name(model)
    content = bytearray((model / file).read_bytes())
    content[1] ^= 1
    (model / file).write_bytes(content)
    assert name(model) != before


def test_weights_that_differ_everywhere_are_seen_to_differ(model: Path) -> None:
    """Fine-tuning moves nearly every weight a little."""
    before = name(model)
    (model / "model.safetensors").write_bytes(bytes(reversed(range(256))) * (1 << 15))
    assert name(model) != before


def test_a_change_that_no_sample_meets_is_seen_by_its_time(model: Path) -> None:
    before = name(model)
    with (model / "model.safetensors").open("r+b") as file:
        file.seek(70_000)
        file.write(b"changed")
    assert name(model) != before


def test_a_file_more_or_under_another_name_is_another_model(model: Path) -> None:
    names = {name(model)}
    (model / "config.json").rename(model / "config2.json")
    names.add(name(model))
    (model / "extra.json").write_text("")
    names.add(name(model))
    assert len(names) == 3


def test_every_knob_and_whatever_else_is_known_counts(model: Path) -> None:
    names = [name(model), name(model, dtype="bfloat16"), name(model, dtype="float16"), name(model, ("cpu",))]
    assert len(set(names)) == 4
    assert name(model, max_model_len="5", dtype="x") == version_of(
        str(model), None, {"dtype": "x", "max-model-len": "5"}, ()
    )


def test_of_a_file_that_a_knob_names_its_content_counts(model: Path, tmp_path: Path) -> None:
    template, copy = tmp_path / "a.jinja", tmp_path / "b.jinja"
    template.write_text("{{ messages }}")
    copy.write_text("{{ messages }}")
    assert name(model, chat_template=str(template)) == name(model, chat_template=str(copy))
    copy.write_text("{{ messages[0] }}")
    assert name(model, chat_template=str(template)) != name(model, chat_template=str(copy))


def test_a_model_of_a_hub_is_known_by_its_commit() -> None:
    names = [version_of("org/name", commit, {}, ()) for commit in ("abc", "abd")]
    assert len(set(names)) == 2 and None not in names
    assert version_of("org/name", None, {}, ()) is None


def test_the_bundled_model_has_one_name() -> None:
    assert version_of(str(BUNDLED), None, {}, ()) == version_of(str(BUNDLED), None, {}, ())


def test_a_model_is_known_before_it_was_ever_booted(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    before = identity_of(str(model), {"max-model-len": "512"})
    assert len(before) == 64
    assert identity_of(str(copy), {"max_model_len": "512"}) == before
    (model / "config.json").write_text('{"hidden_size": 16}')
    assert before != identity_of(str(model), {"max_model_len": "512"}) != identity_of(str(model), {})


def test_of_a_hubs_model_the_commit_counts_that_this_machine_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = {"main": "/hub/models--acme--one/snapshots/abc123/config.json"}
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda name, file, revision=None: cached.get(revision or "main")
    )
    loaded = identity_of("acme/one", {})
    assert loaded == identity_of("acme/one", {})
    assert loaded != identity_of("acme/one", {"revision": "v2"})
    cached["main"] = "/hub/models--acme--one/snapshots/def456/config.json"
    assert loaded != identity_of("acme/one", {})


def test_a_source_that_is_neither_a_folder_nor_a_hubs_model_has_a_name_of_its_own() -> None:
    assert identity_of("not a name / at all", {}) != identity_of("another / one / here", {})
