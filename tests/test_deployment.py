"""compose.yaml, the Dockerfile and nginx.conf, compared with each other and with the code. No Docker is needed."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from engines.registry import parse
from gateway.app import build
from gateway.metrics import Metrics
from gateway.settings import Settings, load
from gateway.spelling import variable
from tests.nginx_server import LISTEN, REPLICAS, SHOWN

ROOT = Path(__file__).parent.parent
OPERATE = ROOT / "docs/operate.md"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
HEARTHS = [service for service in SERVICES.values() if "build" in service]
IMAGE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
SENT = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
VARIABLES = {variable(name) for name in Settings.model_fields}


def words(instruction: str) -> list[list[str]]:
    """The arguments of each such instruction of the Dockerfile."""
    return [shlex.split(line) for line in re.findall(rf"^{instruction} (.*)$", IMAGE, re.MULTILINE)]


def environment() -> dict[str, str]:
    """What the image itself sets."""
    pairs = (word.split("=", 1) for line in words("ENV") for word in line)
    return {name: value for name, value in pairs}


def seconds(written: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m)", written).groups()  # type: ignore[union-attr]
    return float(number) * {"s": 1, "m": 60}[unit]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those that a replica in compose.yaml has."""
    assert len(HEARTHS) == len(REPLICAS) and all(each == HEARTHS[0] for each in HEARTHS)
    for name, value in {**environment(), **HEARTHS[0]["environment"]}.items():
        if name.startswith("HEARTH_"):
            assert name in VARIABLES
            # As compose fills in what the environment does not say.
            monkeypatch.setenv(name, re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value)))
    return load({})


def test_the_replicas_settings_are_settings(settings: Settings) -> None:
    build(settings)
    assert [parse(model).name for model in settings.models] == ["campfire"]


def test_nginx_asks_the_replicas_where_they_listen(settings: Settings) -> None:
    named = [name for name, service in SERVICES.items() if service in HEARTHS]
    assert [f"{name}:{settings.port}" for name in named] == list(REPLICAS)
    assert re.findall(r"server (\S+) max", SHOWN.read_text()) == list(REPLICAS)
    assert settings.host == "0.0.0.0" and words("EXPOSE") == [[str(settings.port)]]
    [published] = SERVICES["nginx"]["ports"]
    assert LISTEN == f"listen {published.rpartition(':')[2]};"
    assert SERVICES["nginx"]["depends_on"] == named


def test_whoever_is_answered_without_a_key_is_on_this_machine(settings: Settings) -> None:
    [published] = SERVICES["nginx"]["ports"]
    assert settings.open_access and settings.admin_key is None
    assert published.startswith("127.0.0.1:") and not any("ports" in replica for replica in HEARTHS)
    assert "--appendonly yes" in SERVICES["redis"]["command"], "keys must outlive a restart of Redis"


def test_the_replicas_share_the_redis_of_the_file(settings: Settings) -> None:
    assert settings.redis_url is not None
    assert urlsplit(settings.redis_url.get_secret_value()).hostname in SERVICES
    assert "--maxmemory-policy noeviction" in SERVICES["redis"]["command"]


def test_a_replica_is_given_the_time_that_its_drain_takes(settings: Settings) -> None:
    assert seconds(HEARTHS[0]["stop_grace_period"]) >= settings.drain_s + 10


def test_nginx_waits_longer_than_a_stream_is_silent() -> None:
    streams = re.search(r"streams/.*?proxy_read_timeout (\d+s);", SHOWN.read_text(), re.DOTALL)
    assert streams and seconds(streams[1]) >= 1.5 * Settings.model_fields["keep_alive_s"].default
    body = re.search(r"client_max_body_size (\d+)m;", SHOWN.read_text())
    assert body and int(body[1]) << 20 > Settings.model_fields["max_body_bytes"].default


def test_alarms_are_about_metrics_that_are_there() -> None:
    [rules] = re.findall(r"```yaml\n(groups:.*?)```", OPERATE.read_text(), re.DOTALL)
    [group] = yaml.safe_load(rules)["groups"]
    metrics = [each for each in vars(Metrics()).values() if hasattr(each, "_labelnames")]
    known = {metric._name + ("_total" if metric._type == "counter" else "") for metric in metrics}
    asked = {name for rule in group["rules"] for name in re.findall(r"hearth_\w+", rule["expr"])}
    assert len(asked) > 3 and asked <= known


def test_what_is_mounted_is_there() -> None:
    named = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert {name for name in named if not name.startswith("./")} == set(COMPOSE["volumes"])
    assert all((ROOT / name).is_file() for name in named if name.startswith("./"))


def test_every_service_that_is_no_replica_has_a_health_check() -> None:
    assert all("healthcheck" in service for service in SERVICES.values() if service not in HEARTHS)
    [check] = re.findall(r"^HEALTHCHECK .*CMD (.*)$", IMAGE, re.MULTILINE)
    assert f"127.0.0.1:{environment()['HEARTH_PORT']}/readyz" in check


def test_the_image_copies_what_the_package_is_made_of() -> None:
    copied = {source for line in words("COPY") if not line[0].startswith("--") for source in line[:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*packages, "pyproject.toml", "uv.lock", "README.md", "LICENSE"} <= copied == set(SENT)
    folders = [(ROOT / name).resolve() for name in copied]
    links = [file for name in packages for file in (ROOT / name).rglob("*") if file.is_symlink()]
    assert links and not [link for link in links if not any(map(link.resolve().is_relative_to, folders))]


def test_the_image_is_built_with_the_lock_and_the_uv_of_make() -> None:
    [version] = re.findall(r"/uv:([\d.]+) ", IMAGE)
    venv = (ROOT / "scripts/venv.py").read_text()
    assert f'UV_VERSION = "{version}"' in venv
    [python] = re.findall(r"^ARG PYTHON=(\S+)", IMAGE, re.MULTILINE)
    assert re.search(rf'^PYTHONS = \["{re.escape(python)}"', venv, re.MULTILINE)
    assert IMAGE.count("uv sync --frozen") == IMAGE.count("uv sync") == 2


def test_the_image_runs_as_nobody_special_and_hears_sigterm() -> None:
    assert words("USER") == [["hearth"]]
    # A shell before it would keep the signal to itself.
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", IMAGE, re.MULTILINE)
    assert yaml.safe_load(entry) == ["hearth"]
