"""A predictor's own Python: made once by uv from what its cog.yaml asks for, and kept under the name of that."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from uv import find_uv_bin

from engines.base import Report
from engines.cog.process import Program
from engines.cog.source import Recipe
from engines.cog.version import COG, environment_of
from engines.cog.workdir import SYSTEM
from engines.errors import EngineError

_LOOK_S: Final = 0.2
"""How often it is looked whether another process has made it."""
_DONE: Final = "made"
"""A file in one that is whole: what was given up half way is made anew."""


async def find(recipe: Recipe, cache: Path, told: Mapping[str, str], report: Report) -> str:
    """The interpreter of the recipe's environment, which is made where it is not there.

    `told` are variables for uv's process: where packages are found, and the like. Raises EngineError `boot_failed`, and
    OSError.
    """
    folder = cache / "environments" / environment_of(recipe)
    told = {"HOME": str(Path.home()), "PATH": SYSTEM, "UV_SYSTEM_CERTS": "1", **told}
    python = folder / "bin" / "python"
    async with _alone(folder):
        if not (folder / _DONE).exists():
            await _make(recipe, folder, told, report)
            (folder / _DONE).touch()
    return str(python)


async def _make(recipe: Recipe, folder: Path, told: Mapping[str, str], report: Report) -> None:
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    uv = find_uv_bin()
    report("making an environment")
    await _run([uv, "venv", "--python", _python(recipe.python_version), str(folder)], recipe.folder, told, report)
    wanted = [COG, *recipe.packages]
    report(f"installing {', '.join(wanted)}"[:200])
    lines = folder / "requirements.txt"
    lines.write_text("".join(f"{line}\n" for line in wanted))
    install = [uv, "pip", "install", "--compile-bytecode", "--python", str(folder / "bin" / "python")]
    await _run([*install, "--requirements", str(lines)], recipe.folder, told, report)


def _python(version: str | None) -> str:
    """Which one uv is to take: this one where it is of that version, so that none has to be looked for."""
    own = ".".join(map(str, sys.version_info[:3]))
    return sys.executable if version is None or f"{own}.".startswith(f"{version}.") else version


async def _run(words: list[str], folder: Path, told: Mapping[str, str], report: Report) -> None:
    """Run uv to its end. Raises EngineError `boot_failed` with what it said, where it failed."""
    program = await Program.start(words, folder, told, lambda line: report(f"installing: {line[:200]}"))
    try:
        status = await program.ended()
    finally:
        await program.close()
    if status != 0:
        raise EngineError("boot_failed", f"The model's environment cannot be made:\n{program.last_words}")


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """While others make it, in this process or another one, wait. The lock goes with the process that holds it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        # Another process may hold it, which sets no event here.
        while not _locked(lock.fileno()):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
