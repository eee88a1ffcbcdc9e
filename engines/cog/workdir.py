"""A folder of our own that looks like the predictor's: what Cog reads beside it lies here, and what it writes.

Every entry of the predictor's folder is a link. So relative paths, `__file__` and imports work as in a container, while
`.cog`, bytecode and temporary files never reach the user's folder, and are gone with this one.
"""

from __future__ import annotations

import fcntl
import json
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from engines import contents

_PREFIX: Final = "hearth-cog-"
_LOCK: Final = ".cog/lock"
SYSTEM: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are found that belong to no predictor."""


class Workdir:
    """One run's folder."""

    def __init__(self, folder: Path) -> None:
        """Folders that killed servers have left are taken away before. Raises OSError."""
        _sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.files = self.path / ".cog" / "tmp"
        """Where temporary files go."""
        self.files.mkdir(parents=True)
        (self.path / ".cog" / "bin").mkdir()
        self._lock = (self.path / _LOCK).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        for entry in folder.iterdir():
            if entry.name not in contents.LEFT_OUT:
                (self.path / entry.name).symlink_to(entry)

    def describe(self, document: Mapping[str, Any]) -> None:
        """Put the OpenAPI document where Cog looks for it. Any predictor may stream: logs come as they are printed."""
        paths = {"/predictions": {"post": {"x-cog-streaming": True}}}
        (self.path / ".cog" / "openapi_schema.json").write_text(json.dumps({**document, "paths": paths}))

    def surroundings(self, python: str, *told: Mapping[str, str]) -> dict[str, str]:
        """The environment variables of a process that runs here with that interpreter: these, what is told, no others.

        Later ones win.
        """
        own = {
            "PATH": f"{self._bin(python)}:{Path(python).parent}:{SYSTEM}",
            "HOME": str(Path.home()),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            # Folders in the predictor's folder are links, and bytecode would end up in there.
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(self.files),
        }
        return {name: value for each in (own, *told) for name, value in each.items()}

    def _bin(self, python: str) -> Path:
        """A folder with a `python` that is this one: Cog starts its worker as plain `python`."""
        bin = self.path / ".cog" / "bin"
        # A link would lose the virtual environment that the interpreter lies in.
        (bin / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(python)} "$@"\n')
        (bin / "python").chmod(0o755)
        return bin

    def remove(self) -> None:
        """Take it all away; links are, and not what they point at."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _sweep() -> None:
    """Take away what belongs to nobody any more: the lock of a folder goes with the process that made it."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), (left / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
