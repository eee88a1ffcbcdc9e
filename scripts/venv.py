"""Make .venv: what uv.lock says, for one extra (cpu, gpu, or none: a gateway without an engine of its own).

Any Python 3.8 or newer starts it; it looks for the one to use, and brings uv along.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
UV_VERSION = "0.13.9"
PYTHONS = ["3.12", "3.13", "3.11", "3.14"]  # those that vLLM runs on; its own releases are made with the first
NODE = (22, 17)  # what the packages of tests/node ask for


def say(line: str) -> None:
    print(f"venv: {line}", flush=True)


def run(*command: object, remedy: str = "") -> None:
    if subprocess.run(list(map(str, command)), cwd=ROOT).returncode:
        sys.exit(f"venv: failed: {' '.join(map(str, command))}{remedy}")


def output(*command: object) -> str:
    """What a command prints; nothing where it is missing or fails."""
    try:
        done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def torch_folder() -> tuple[str | None, list[str]]:
    """A folder where pip would find the locked CPU build of torch, and the Pythons it is there for.

    The lock takes that build from PyTorch's own index, since PyPI has none. Where pip was given a folder with it, that
    index is likely out of reach.
    """
    [locked] = re.findall(r'name = "torch"\nversion = "([^"]+\+cpu)"', (ROOT / "uv.lock").read_text())
    links = os.environ.get("PIP_FIND_LINKS") or output(
        sys.executable, "-m", "pip", "config", "get", "global.find-links"
    )
    for folder in links.split():
        found = Path(folder.replace("file://", "")).glob(f"torch-{locked}-*{platform.machine()}.whl")
        wheels = [wheel.name for wheel in found]
        pythons = [python for python in PYTHONS if any(f"-cp{python.replace('.', '')}-" in name for name in wheels)]
        if pythons:
            return folder, pythons
    return None, PYTHONS


def version_of(python: object) -> str:
    """Of a Python that can make virtual environments; nothing for one that cannot."""
    return output(python, "-c", "import ensurepip, venv, sys; print('%d.%d' % sys.version_info[:2])")


def make_venv(pythons: list[str]) -> None:
    if version_of(BIN / "python") in pythons and (BIN / "pip").exists():
        return
    for python in [*(f"python{version}" for version in pythons), "python3", sys.executable]:
        if version_of(python) in pythons:
            say(f"a new .venv with Python {version_of(python)}")
            return run(python, "-m", "venv", "--clear", VENV)
    sys.exit(f"venv: needs Python {' or '.join(pythons)} on the PATH, with its venv module (Debian: python3-venv)")


def node_is_there() -> bool:
    version = re.match(r"v(\d+)\.(\d+)", output("node", "--version"))
    return bool(version and shutil.which("npm") and tuple(map(int, version.groups())) >= NODE)


def main(extra: str) -> None:
    # What an activated .venv adds to the PATH is ours to make, not to find.
    os.environ["PATH"] = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if Path(p) != BIN)
    os.environ.pop("VIRTUAL_ENV", None)
    if ssl.get_default_verify_paths().cafile:  # as pip does: a company's own certificate counts
        os.environ.setdefault("UV_SYSTEM_CERTS", "1")

    folder, pythons = torch_folder() if extra == "cpu" and sys.platform == "linux" else (None, PYTHONS)
    make_venv(pythons)
    if UV_VERSION not in output(BIN / "uv", "--version"):
        say(f"uv {UV_VERSION}")
        run(BIN / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"uv=={UV_VERSION}")

    chosen = [] if extra == "none" else ["--extra", extra]
    if not node_is_there():
        say(f"no Node.js {NODE[0]}.{NODE[1]} or newer on the PATH: takes PyPI's, for the tests")
        chosen += ["--group", "node"]

    # pyproject.toml changes more often than what is to be installed: remember the latter.
    requirements, installed = VENV / "requirements.txt", VENV / "installed"
    run(BIN / "uv", "export", "--quiet", "--frozen", "--no-header", "--no-annotate", *chosen, "-o", requirements)
    wanted = requirements.read_text() + (ROOT / "pyproject.toml").read_text().partition("\n[tool.")[0]
    if not installed.exists() or installed.read_text() != wanted:
        installed.unlink(missing_ok=True)
        how = ["--compile-bytecode"]  # else every start compiles thousands of modules
        how += [] if sys.stderr.isatty() else ["--quiet"]
        if folder:
            say(f"installs uv.lock, with torch from {folder}; a minute or two")
            run(BIN / "uv", "pip", "sync", *how, "--python", BIN / "python", "--find-links", folder, requirements)
        else:
            size = {"cpu": ", torch from PyTorch's index: 700 MB", "gpu": ", CUDA with it: several GB"}.get(extra, "")
            say(f"installs uv.lock{size} the first time")
            remedy = "\nvenv: without PyTorch's index, put its wheel into a folder and name that in PIP_FIND_LINKS"
            run(BIN / "uv", "sync", "--frozen", *how, *chosen, remedy=remedy if extra == "cpu" else "")
        run(BIN / "python", "-m", "compileall", "-q", "gateway", "engines", "cache", "loadtest")
        installed.write_text(wanted)

    for stamp in VENV.glob("*.stamp"):
        stamp.unlink()
    (VENV / f"{extra}.stamp").touch()
    say(f"ready for {extra}: .venv/bin/hearth")


if __name__ == "__main__":
    main(*sys.argv[1:])
