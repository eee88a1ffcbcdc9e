"""What a predictor takes and gives: found out once in its own environment, and remembered by what determines it."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any, Final

import msgspec

from engines.cog.process import Program
from engines.cog.workdir import Workdir
from engines.errors import EngineError

_LOOK_S: Final = 300.0
"""How long it may take to import the predictor: large libraries on a slow disk."""


class Looked(msgspec.Struct, frozen=True):
    """What was found out."""

    document: dict[str, Any]
    """The OpenAPI document, as `cog build` writes it."""
    concurrency: int
    """How many predictions it may run at once, as its decorator says."""


def remembered(cache: Path, version: str) -> Looked | None:
    """What was found out of that version before."""
    try:
        return msgspec.json.decode(_place(cache, version).read_bytes(), type=Looked)
    except (OSError, msgspec.DecodeError):
        return None


def remember(cache: Path, version: str, looked: Looked) -> None:
    """Keep it for the next time. Raises OSError."""
    place = _place(cache, version)
    place.parent.mkdir(parents=True, exist_ok=True)
    # Others may read it meanwhile, and write the same.
    fresh = place.with_suffix(f".{secrets.token_hex(4)}")
    fresh.write_bytes(msgspec.json.encode(looked))
    fresh.replace(place)


def _place(cache: Path, version: str) -> Path:
    return cache / "schemas" / f"{version}.json"


async def look(folder: Path, reference: str, python: str, told: dict[str, str]) -> Looked:
    """Look at the predictor in that folder with that interpreter. Raises EngineError `boot_failed`."""
    workdir = await asyncio.to_thread(Workdir, folder)
    try:
        return await _look(workdir, reference, python, told)
    finally:
        await asyncio.to_thread(workdir.remove)


async def _look(workdir: Workdir, reference: str, python: str, told: dict[str, str]) -> Looked:
    written = workdir.files / "looked.json"
    # The interpreter that runs it knows nothing of this package: it is given as a file.
    words = [python, str(Path(__file__).with_name("inspecting.py")), reference, str(written)]
    program = await Program.start(words, workdir.path, workdir.surroundings(python, told))
    try:
        async with asyncio.timeout(_LOOK_S):
            status = await program.ended()
    except TimeoutError:
        raise EngineError("boot_failed", f"The predictor was not imported after {_LOOK_S:.0f} s.") from None
    finally:
        await program.close()
    if status != 0:
        raise EngineError("boot_failed", f"The predictor cannot be looked at:\n{program.last_words}")
    return msgspec.json.decode(written.read_bytes(), type=Looked)
