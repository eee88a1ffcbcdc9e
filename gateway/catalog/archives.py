"""A Cog folder as one file: the same files make the same bytes, and nothing is unpacked to elsewhere."""

from __future__ import annotations

import errno
import os
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
_LONGEST: Final = 1000
"""Letters in the path of one file."""
_UNFIT: Final = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ)
"""How a disk says that it cannot have a file of that name there."""


class BadFolder(Exception):
    """It cannot be packed. Says why."""


class BadArchive(Exception):
    """It cannot be unpacked. Says why."""


def pack(folder: Path, out: IO[bytes]) -> int:
    """Write the folder's files but those that it says to ignore; how many these are. Raises BadFolder, OSError."""
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
    """The files that are packed, in one order everywhere; links count as what they lead to, wherever that is.

    Raises BadFolder where one leads to nothing or in a circle, or where something is no file; OSError.
    """
    patterns = [*LEFT_OUT, *_ignored(folder)]
    return _within(folder, (), patterns, (_place(folder),))


def unpack(archive: Path, folder: Path) -> None:
    """Have its files in a new folder. Raises BadArchive, OSError."""
    try:
        with tarfile.open(archive, mode="r:") as opened:
            for count, member in enumerate(opened, 1):
                if count > _MOST:
                    raise BadArchive(f"It holds more than {_MOST} files.")
                # A link may lead out of the folder, and a sparse file is larger than it looks.
                if not (member.isdir() or member.isreg()) or member.issparse():
                    raise BadArchive(f"{_shown(member.name)} is no plain file.")
                if len(member.name) > _LONGEST or not _is_written(member.name):
                    raise BadArchive(f"{_shown(member.name)} is no name that a file can have everywhere.")
                _extract(opened, member, folder)
    except tarfile.TarError as error:
        raise BadArchive(str(error)) from None
    if not (folder / RECIPE).is_file():
        raise BadArchive(f"It holds no {RECIPE}: that makes a folder one of Cog's.")


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    try:
        archive.extract(member, folder, filter="data")
    except tarfile.FilterError:
        raise BadArchive(f"{_shown(member.name)} leads out of the folder.") from None
    except OSError as error:
        # Others are this machine's own troubles, as a disk that is full.
        if error.errno not in _UNFIT:
            raise
        raise BadArchive(f"{_shown(member.name)} cannot be unpacked: {error.strerror}.") from None
    except (ValueError, OverflowError):
        # What it says of its times or its name is no number, or is no name.
        raise BadArchive(f"{_shown(member.name)} cannot be unpacked.") from None


def _within(
    at: Path, parts: tuple[str, ...], patterns: Sequence[str], above: tuple[tuple[int, int], ...]
) -> Iterator[Path]:
    """The files of one folder and of those in it; `above` are the folders that it is in, and itself."""
    is_final = not any(pattern.startswith("!") for pattern in patterns)
    for name in sorted(os.listdir(at)):
        path, named = at / name, (*parts, name)
        is_ignored = _is_ignored(named, patterns)
        if is_ignored and (is_final or not path.is_dir() or path.is_symlink()):
            continue
        written = "/".join(named)
        if not _is_written(written):
            raise BadFolder(f"{_shown(written)} is not written in UTF-8; give it another name.")
        if path.is_dir():
            place = _place(path)
            if place in above:
                raise BadFolder(
                    f"{written} leads back to a folder that it is in; take the link away, or have it ignored."
                )
            yield from _within(path, named, patterns, (*above, place))
        elif path.is_file():
            yield path
        else:
            wrong = "is a link that leads to nothing" if path.is_symlink() else "is no file"
            raise BadFolder(f"{written} {wrong}; take it away, or name it in .dockerignore.")


def _place(folder: Path) -> tuple[int, int]:
    """What a folder is, by whatever name."""
    facts = folder.stat()
    return facts.st_dev, facts.st_ino


def _is_written(name: str) -> bool:
    """Whether every machine can write that name: it is in UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    """A name that may hold anything, in visible letters."""
    return ascii(name if len(name) <= 100 else f"{name[:100]}...")


def _ignored(folder: Path) -> list[str]:
    for name in _LISTS:
        if (folder / name).is_file():
            # Names of files are bytes, and so are these.
            lines = (line.strip() for line in (folder / name).read_text("utf-8", "surrogateescape").splitlines())
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
