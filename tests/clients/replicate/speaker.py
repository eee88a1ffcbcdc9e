"""Replicate's own clients, each version in a program of its own that does what it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.nodejs import FOLDER, node

HERE: Final = Path(__file__).parent
PYTHONS: Final = {"0.31.0": "python_1", "1.0.7": "python_1", "2.0.0b4": "python_2"}
CLIENTS: Final = (*(f"python {version}" for version in PYTHONS), "node 1.4.0")


class Raised(Exception):
    """What a client raised, as its user sees it."""

    def __init__(self, type: str, message: str, status: int | None, detail: str | None) -> None:
        super().__init__(f"{type}: {message}")
        self.type = type
        self.status = status
        self.detail = detail


class Speaker:
    """One client of one user: `speaker("run", model=…, input=…)` is a call of it, and gives what it returned."""

    def __init__(self, name: str, program: subprocess.Popen[str], token: str, base: str | None = None) -> None:
        self.name = name
        self._program = program
        self._token = token
        self._base = base

    def __call__(self, deed: str, **words: Any) -> Any:
        """Raises Raised."""
        assert self._program.stdin and self._program.stdout
        asked = {"do": deed, "token": self._token, "base": self._base, "with": words}
        self._program.stdin.write(json.dumps(asked) + "\n")
        self._program.stdin.flush()
        said = json.loads(self._program.stdout.readline() or '{"raised": {"type": "Gone", "message": "it ended"}}')
        if "raised" in said:
            raise Raised(**{"status": None, "detail": None, **said["raised"]})
        return said["gave"]

    def sending(self, token: str | None = None, base: str | None = None) -> Speaker:
        """The same client with another token, or elsewhere."""
        return Speaker(self.name, self._program, token or self._token, base or self._base)


@contextmanager
def program(name: str, url: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The driver of that client, for a Hearth at `url`; it ends with its input."""
    with subprocess.Popen(
        _command(name),
        cwd=FOLDER if name.startswith("node") else HERE.parents[2],
        env={**os.environ, **environment(name, url), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        assert running.stdin
        running.stdin.close()
        assert running.wait(10) == 0


def environment(name: str, url: str) -> dict[str, str]:
    """What a user sets to have that client ask a Hearth at `url`."""
    language, version = name.split()
    with_v1 = {"REPLICATE_BASE_URL": f"{url}/replicate/v1", "REPLICATE_POLL_INTERVAL": "0.1"}
    if language == "node":
        return with_v1
    installed = HERE / ".versions" / version
    assert installed.is_dir(), "no such client: run `make test`, which brings it"
    bare = {**with_v1, "REPLICATE_BASE_URL": f"{url}/replicate"}
    return {**(with_v1 if version.startswith("2") else bare), "PYTHONPATH": str(installed)}


def _command(name: str) -> list[str]:
    language, version = name.split()
    if language == "node":
        return [node(), "replicate.mjs"]
    return [sys.executable, "-m", f"tests.clients.replicate.drivers.{PYTHONS[version]}"]
