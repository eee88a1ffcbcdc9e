"""How a bench's command tells what it found: progress as it goes, a table at the end, figures into a file, a status."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Protocol


class Results(Protocol):
    """What a bench found."""

    @property
    def failed(self) -> bool:
        """Some answer was not what it should have been."""

    def text(self) -> str:
        """It all, for people."""

    def as_json(self) -> list[dict[str, Any]]:
        """Every turn, as plain values."""


def add_outlets(command: argparse.ArgumentParser) -> None:
    """Give a command the options that say where its results go."""
    command.add_argument("--json", type=Path, help="write all figures to this file")
    command.add_argument("--out", type=Path, help="folder for the servers' logs")


def folder(arguments: argparse.Namespace) -> Path:
    """Where the servers' logs go; it is there."""
    made: Path = arguments.out or Path(tempfile.mkdtemp(prefix="loadtest-"))
    made.mkdir(parents=True, exist_ok=True)
    return made.resolve()


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def tell(results: Results, arguments: argparse.Namespace) -> int:
    """Tell the results; the command's status."""
    print(results.text())
    if arguments.json:
        arguments.json.write_text(json.dumps(results.as_json(), indent=1), encoding="utf-8")
    return 1 if results.failed else 0
