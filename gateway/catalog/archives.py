"""A Cog folder as one file: the same files make the same bytes, and nothing is unpacked to elsewhere."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Final

from engines.contents import LEFT_OUT

RECIPE: Final = "cog.yaml"
"""What makes a folder one of Cog's."""

_LISTS: Final = (".dockerignore", ".gitignore")
"""Where people write what is not to be packed; the first one that is there counts."""
_MOST: Final = 100_000
"""Files in one archive."""


class BadArchive(Exception):
    """It cannot be unpacked. Says why."""


def pack(folder: Path, out: IO[bytes]) -> int:
    """Write the folder's files but those that it says to ignore; how many these are. Raises OSError."""
    count = 0
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in files(folder):
            told = tarfile.TarInfo(path.relative_to(folder).as_posix())
            facts = path.stat()
            told.size, told.mode = facts.st_size, 0o755 if facts.st_mode & 0o100 else 0o644
            with path.open("rb") as opened:
                archive.addfile(told, opened)
            count += 1
    return count


def files(folder: Path) -> Iterator[Path]:
    """The files that are packed, in one order everywhere."""
    patterns = [*LEFT_OUT, *_ignored(folder)]
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        if path.is_file() and not _is_ignored(path.relative_to(folder).parts, patterns):
            yield path


def unpack(archive: Path, folder: Path) -> None:
    """Have its files in a new folder. Raises BadArchive, OSError."""
    try:
        with tarfile.open(archive, mode="r:") as opened:
            for count, member in enumerate(opened, 1):
                if count > _MOST:
                    raise BadArchive(f"It holds more than {_MOST} files.")
                # A link may lead out of the folder, and a sparse file is larger than it looks.
                if not (member.isdir() or member.isreg()) or member.issparse():
                    raise BadArchive(f"{member.name!r} is no plain file.")
                opened.extract(member, folder, filter="data")
    except tarfile.TarError as error:
        raise BadArchive(str(error)) from None
    if not (folder / RECIPE).is_file():
        raise BadArchive(f"It holds no {RECIPE}: that makes a folder one of Cog's.")


def _ignored(folder: Path) -> list[str]:
    for name in _LISTS:
        if (folder / name).is_file():
            lines = (line.strip() for line in (folder / name).read_text().splitlines())
            return [line for line in lines if line and not line.startswith("#")]
    return []


def _is_ignored(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a file, or a folder that it is in, is named by a pattern; of several the last one counts."""
    paths = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    ignored = False
    for pattern in patterns:
        word = pattern.removeprefix("!").rstrip("/").removeprefix("**/")
        # A pattern without a slash means the files of that name in any folder.
        names = paths if "/" in word else parts
        if any(fnmatchcase(name, word.lstrip("/")) for name in names):
            ignored = not pattern.startswith("!")
    return ignored
