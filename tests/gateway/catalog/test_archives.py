"""Cog folders as archives."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.catalog.archives import BadArchive, BadFolder, files, pack, unpack


def folder_of(at: Path, written: Mapping[str, str]) -> Path:
    for name, text in {"cog.yaml": "predict: predict.py:Predictor", **written}.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text)
    return at


def packed(folder: Path) -> bytes:
    out = io.BytesIO()
    pack(folder, out)
    return out.getvalue()


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in files(folder)]


def test_what_is_packed_is_unpacked_as_it_was(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "one", {"predict.py": "class Predictor: ...", "weights/a.bin": "1"})
    (folder / "predict.py").chmod(0o755)
    (tmp_path / "one.tar").write_bytes(packed(folder))
    unpack(tmp_path / "one.tar", tmp_path / "two")
    assert names(tmp_path / "two") == ["cog.yaml", "predict.py", "weights/a.bin"]
    assert (tmp_path / "two" / "predict.py").read_text() == "class Predictor: ..."
    assert os.access(tmp_path / "two" / "predict.py", os.X_OK)


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    one = folder_of(tmp_path / "one", {"a.py": "1", "b/c.py": "2"})
    other = folder_of(tmp_path / "other", {"b/c.py": "2", "a.py": "1"})
    os.utime(other / "a.py", (0, 0))
    assert packed(one) == packed(other)
    (other / "a.py").write_text("3")
    assert packed(one) != packed(other)


@pytest.mark.parametrize("list", [".dockerignore", ".gitignore"])
def test_what_the_folder_says_to_ignore_is_not_packed(tmp_path: Path, list: str) -> None:
    ignored = "# data\n*.log\n/out\nbig/*.bin\n**/tmp/\n!big/kept.bin\n"
    written = {
        list: ignored,
        "a.log": "",
        "deep/b.log": "",
        "out/x": "",
        "deep/out/x": "",
        "big/w.bin": "",
        "big/kept.bin": "",
        "deep/tmp/y": "",
    }
    assert names(folder_of(tmp_path, written)) == sorted([list, "big/kept.bin", "cog.yaml", "deep/out/x"])


def test_what_no_model_needs_is_never_packed(tmp_path: Path) -> None:
    written = {".git/config": "", "__pycache__/predict.pyc": "", "deep/__pycache__/x": "", ".cog/schema.json": ""}
    assert names(folder_of(tmp_path, written)) == ["cog.yaml"]


def test_a_link_is_packed_as_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("heavy")
    folder = folder_of(tmp_path / "one", {})
    (folder / "w.bin").symlink_to(tmp_path / "weights")
    (tmp_path / "one.tar").write_bytes(packed(folder))
    unpack(tmp_path / "one.tar", tmp_path / "two")
    assert (tmp_path / "two" / "w.bin").read_text() == "heavy" and not (tmp_path / "two" / "w.bin").is_symlink()


def test_a_linked_folder_is_packed_with_what_is_in_it(tmp_path: Path) -> None:
    weights = folder_of(tmp_path / "weights", {"deep/a.bin": "1"})
    folder = folder_of(tmp_path / "one", {})
    (folder / "w").symlink_to(weights)
    assert names(folder) == ["cog.yaml", "w/cog.yaml", "w/deep/a.bin"]


def test_a_link_that_leads_to_nothing_or_in_a_circle_is_told_unless_it_is_ignored(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "one", {"deep/a.py": ""})
    (folder / "deep" / "gone").symlink_to("nowhere")
    with pytest.raises(BadFolder, match="deep/gone is a link that leads to nothing"):
        names(folder)
    (folder / "deep" / "gone").unlink()
    (folder / "deep" / "up").symlink_to("..")
    with pytest.raises(BadFolder, match="deep/up leads back to a folder that it is in"):
        names(folder)
    for ignored in ("up\n", "deep/\n", "deep/*\n!deep/a.py\n"):
        (folder / ".dockerignore").write_text(ignored)
        assert "cog.yaml" in names(folder)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "one", {})
    os.mkfifo(folder / "pipe")
    with pytest.raises(BadFolder, match="pipe is no file"):
        names(folder)


def test_names_that_are_not_in_utf_8_are_told_and_ignored_where_the_list_says_so(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "one", {})
    (folder / os.fsdecode(b"caf\xe9.py")).write_text("")
    with pytest.raises(BadFolder, match="not written in UTF-8"):
        names(folder)
    (folder / ".gitignore").write_bytes(b"# caf\xe9\ncaf\xe9.py\n")
    assert names(folder) == [".gitignore", "cog.yaml"]


def hostile(at: Path, told: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(at, "w") as archive:
        recipe = tarfile.TarInfo("cog.yaml")
        archive.addfile(recipe)
        told.size = len(content)
        archive.addfile(told, io.BytesIO(content))
    return at


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/etc/hearth-out"])
def test_nothing_is_unpacked_to_elsewhere(tmp_path: Path, name: str) -> None:
    archive = hostile(tmp_path / "bad.tar", tarfile.TarInfo(name), b"gotcha")
    try:
        unpack(archive, tmp_path / "deep" / "two")
    except BadArchive as error:
        assert str(error) == f"'{name}' leads out of the folder."
    assert not (tmp_path / "deep" / "out").exists() and not (tmp_path / "out").exists()
    assert not Path("/etc/hearth-out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_an_archive_holds_plain_files_alone(tmp_path: Path, kind: bytes) -> None:
    told = tarfile.TarInfo("link")
    told.type, told.linkname = kind, "/etc/passwd"
    with pytest.raises(BadArchive, match="no plain file"):
        unpack(hostile(tmp_path / "bad.tar", told), tmp_path / "two")


@pytest.mark.parametrize("name", ["cog.yaml/under", "n" * 300, "d/" * 3000 + "f", "a\udc80", "", "."])
def test_a_name_that_no_file_can_have_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadArchive):
        unpack(hostile(tmp_path / "bad.tar", tarfile.TarInfo(name), b"1"), tmp_path / "two")


@pytest.mark.parametrize("mtime", ["1e400", "nan", str(10**18)])
def test_times_that_are_none_do_no_harm(tmp_path: Path, mtime: str) -> None:
    told = tarfile.TarInfo("a")
    told.pax_headers = {"mtime": mtime}
    with suppress(BadArchive):
        unpack(hostile(tmp_path / "bad.tar", told), tmp_path / "two")


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b\x08"])
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.tar").write_bytes(content)
    with pytest.raises(BadArchive):
        unpack(tmp_path / "bad.tar", tmp_path / "two")


def test_a_folder_without_a_recipe_is_none_of_cogs(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("predict.py"))
    with pytest.raises(BadArchive, match=r"cog\.yaml"):
        unpack(tmp_path / "bad.tar", tmp_path / "two")
