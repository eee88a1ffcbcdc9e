"""A predictor as the user named it: a folder with a cog.yaml, or the address of a Cog container that runs."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

import yaml

from engines.base import Knobs
from engines.errors import EngineError

_KNOBS: Final = ("python", "start_s", "concurrency")
_ENVIRONMENT: Final = "env."
_REFERENCE: Final = re.compile(r"(?P<file>[^:\s]+\.py):(?P<name>[A-Za-z_]\w*)")
_START_S: Final = 600.0


class Container(NamedTuple):
    """A Cog container that somebody else runs, or whatever speaks its protocol."""

    url: str
    """Without whom it is asked as."""
    concurrency: int
    """How many predictions are sent to it at once."""
    start_s: float
    authorization: str | None = None
    """What it is sent with that header, where its address was written with a user; nobody is shown it."""


class Recipe(NamedTuple):
    """A folder, and how its predictor is run."""

    folder: Path
    reference: str
    """Where the predictor is, as in `predict.py:Predictor`."""
    packages: tuple[str, ...]
    """What its environment holds, as lines of a requirements file."""
    python_version: str | None
    concurrency: int | None
    """How many predictions it may run at once, where cog.yaml says so."""
    ignored: tuple[str, ...]
    """What cog.yaml asks for that cannot be had without a container."""
    python: str | None
    """An interpreter that has everything already."""
    start_s: float
    """How long its setup may take."""
    environment: Mapping[str, str]
    """What its process is told beside what every one is."""


def parse(source: str, knobs: Knobs) -> Container | Recipe:
    """What `cog:SOURCE?knobs` means. Raises EngineError `bad_model_source`."""
    environment = {name[len(_ENVIRONMENT) :]: value for name, value in knobs.items() if name.startswith(_ENVIRONMENT)}
    for name in knobs:
        if name not in _KNOBS and not name.startswith(_ENVIRONMENT):
            raise _bad(f"The engine has no knob {name!r}; it has {', '.join(_KNOBS)} and env.NAME.")
    start_s = _seconds(knobs.get("start_s"))
    concurrency = _count(knobs.get("concurrency"), "concurrency")
    if source.startswith(("http://", "https://")):
        if environment or "python" in knobs:
            raise _bad("A container has its own environment: its knobs are start_s and concurrency.")
        url, authorization = _address(source)
        return Container(url, concurrency or 1, start_s, authorization)
    folder = Path(source).expanduser().absolute()
    try:
        written = yaml.safe_load((folder / "cog.yaml").read_text())
    except OSError as error:
        raise _bad(f"{folder / 'cog.yaml'} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _bad(f"{folder / 'cog.yaml'} is no YAML: {' '.join(str(error).split())}.") from None
    recipe = _recipe(folder, written, knobs.get("python"), start_s, environment)
    return recipe if concurrency is None else recipe._replace(concurrency=concurrency)


def _address(source: str) -> tuple[str, str | None]:
    """An address without its user and password, and these as a header."""
    try:
        parts = urlsplit(source)
        host = parts.netloc.rpartition("@")[2]
        _ = parts.port
    except ValueError:
        host = ""
    if not host or not parts.hostname:
        # What was written may hold a password.
        raise _bad("what stands for a container is no address; write http://HOST:PORT.")
    url = urlunsplit(parts._replace(netloc=host)).rstrip("/")
    if parts.username is None and parts.password is None:
        return url, None
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return url, f"Basic {b64encode(user.encode()).decode()}"


def _recipe(folder: Path, written: Any, python: str | None, start_s: float, environment: Mapping[str, str]) -> Recipe:
    if not isinstance(written, dict):
        raise _bad("cog.yaml holds no mapping.")
    build = written.get("build") or {}
    if not isinstance(build, dict):
        raise _bad("`build` in cog.yaml is no mapping.")
    reference = written.get("run") or written.get("predict")
    found = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    if found is None:
        raise _bad('cog.yaml names no predictor: write `predict: "predict.py:Predictor"`.')
    if not (folder / found["file"]).is_file():
        raise _bad(f"{found['file']}, which cog.yaml names, is not in {folder}.")
    version = build.get("python_version")
    concurrency = written.get("concurrency") or {}
    if not isinstance(concurrency, dict):
        raise _bad("`concurrency` in cog.yaml is no mapping.")
    return Recipe(
        folder=folder,
        reference=found[0],
        packages=_packages(folder, build),
        python_version=None if version is None else str(version),
        concurrency=_count(concurrency.get("max"), "concurrency.max"),
        ignored=tuple(name for name in ("system_packages", "run", "pre_install") if build.get(name)),
        python=python,
        start_s=start_s,
        environment=_set(written.get("environment")) | dict(environment),
    )


def _packages(folder: Path, build: Mapping[str, Any]) -> tuple[str, ...]:
    listed = build.get("python_packages") or []
    named = build.get("python_requirements")
    if not isinstance(listed, list) or not all(isinstance(line, str) for line in listed):
        raise _bad("`build.python_packages` in cog.yaml is no list of words.")
    lines = list(listed)
    if named is not None:
        try:
            lines += (folder / str(named)).read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            raise _bad(f"{named}, which cog.yaml names, cannot be read.") from None
    return tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _set(lines: Any) -> dict[str, str]:
    if not isinstance(lines or [], list):
        raise _bad("`environment` in cog.yaml is no list of NAME=VALUE.")
    pairs = [str(line).partition("=") for line in lines or []]
    return {name: value for name, equals, value in pairs if equals}


def _count(written: Any, name: str) -> int | None:
    if written is None:
        return None
    if not str(written).isdecimal() or int(written) < 1:
        raise _bad(f"{name} must be a number from 1 up.")
    return int(written)


def _seconds(written: str | None) -> float:
    try:
        seconds = _START_S if written is None else float(written)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise _bad("start_s must be a number of seconds above 0.")
    return seconds


def _bad(message: str) -> EngineError:
    return EngineError("bad_model_source", f"cog: {message}")
