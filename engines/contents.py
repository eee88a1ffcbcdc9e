"""What files hold, as short names: where two have the same one, the files say the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import msgspec

_WHOLE: Final = 4 << 20
"""Files up to this size are read whole; of larger ones, which hold weights, samples are taken."""
_SAMPLES: Final = 64
_SAMPLE: Final = 64 << 10


LEFT_OUT: Final = (".git", "__pycache__", "*.pyc", ".cog", ".venv")
"""What stands in a program's folder and is no part of it."""


def digest(*facts: Any) -> str:
    """64 hexadecimal digits that stand for these facts, which are texts, numbers and lists or tables of them."""
    return hashlib.sha256(msgspec.msgpack.encode(facts, order="deterministic")).hexdigest()


def folder(folder: Path) -> str:
    """The name of all files in it but hidden ones and bytecode. Raises OSError."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder)))
    return _hash(f"{path.relative_to(folder)} {file(path)}".encode() for path in files)


def source(folder: Path) -> str:
    """The name of all that a program finds in it, hidden files and linked folders too; but see LEFT_OUT.

    Raises OSError.
    """
    return _hash(f"{path.relative_to(folder)} {file(path)}".encode() for path in sorted(_all(folder, set())))


def file(path: Path) -> str:
    """The name of one file. Raises OSError.

    Of those that are too large to be read whole, samples count, and when they were last written: a copy that is to
    stand for another one keeps the times of its files (`cp -p`).
    """
    facts = path.stat()
    size = facts.st_size
    with path.open("rb") as opened:
        if size <= _WHOLE:
            return f"{size} {_hash([opened.read()])}"

        def sample(index: int) -> bytes:
            opened.seek((size - _SAMPLE) * index // (_SAMPLES - 1))
            return opened.read(_SAMPLE)

        return f"{size} {facts.st_mtime_ns} {_hash(map(sample, range(_SAMPLES)))}"


def named(value: str) -> str:
    """What a setting says: of the file or the folder that it names the content, else its words."""
    path = Path(value)
    try:
        if value and path.is_file():
            return file(path)
        return folder(path) if value and path.is_dir() else value
    except OSError:
        return value


def _all(folder: Path, above: set[Path]) -> Iterator[Path]:
    """Every file; a link that leads back to a folder that it is in is not followed."""
    real = folder.resolve()
    for path in () if real in above else folder.iterdir():
        if any(fnmatchcase(path.name, name) for name in LEFT_OUT):
            continue
        if path.is_dir():
            yield from _all(path, above | {real})
        elif path.is_file():
            yield path


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
