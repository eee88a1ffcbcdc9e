"""Every peer by its name: what is started, and what stands behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from loadtest.peers.recipes import PEERS, Stage, hearth, recipe, unmet, vllm
from loadtest.peers.setup import NEEDS
from loadtest.plan import PlanError
from loadtest.servers import MODEL

RELAYS = {"hearth-relay", "litellm", "litellm-granian", "starlette"}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Where everything is set up."""
    for need in NEEDS.values():
        need.made(tmp_path).parent.mkdir(parents=True)
        need.made(tmp_path).touch()
    return Stage(tmp_path / "model", {"max_model_len": "512", "enforce_eager": "true"}, tmp_path)


def test_all_run_the_same_engine(stage: Stage) -> None:
    """Same folder, same options, same name."""
    ours, theirs = (" ".join(made.command) for made in (hearth(stage), vllm(stage)))

    assert f"bench=vllm:{stage.model}?max_model_len=512&enforce_eager=true" in ours
    assert f"serve {stage.model} " in theirs and f"--served-model-name {MODEL} " in theirs
    assert theirs.endswith("--max-model-len=512 --enforce-eager")


def test_the_rust_front_end_is_the_same_server_with_another_front(stage: Stage) -> None:
    rust, python = recipe("vllm-rs", stage), recipe("vllm", stage)

    assert rust.command == python.command and rust.ready == python.ready
    assert dict(rust.environment).items() - dict(python.environment).items() == {
        ("VLLM_USE_RUST_FRONTEND", "1"),
        ("VLLM_RUST_FRONTEND_PATH", str(stage.folder / "vllm-rs" / "bin" / "vllm-rs")),
    }


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_has_its_name_its_port_and_the_server_it_relays_to(name: str, stage: Stage) -> None:
    made = recipe(name, stage)
    told = " ".join([*made.command, *made.environment.values()])

    assert made.name == name and "{port}" in made.command
    assert made.behind == (vllm(stage) if name in RELAYS else None)
    assert ("{behind}" in told) == (name in RELAYS)


def test_litellm_serves_the_model_that_is_asked_for() -> None:
    """From where its environment says."""
    with (Path("loadtest/peers/litellm.yaml")).open(encoding="utf-8") as file:
        [model] = yaml.safe_load(file)["model_list"]

    assert model["model_name"] == MODEL
    assert model["litellm_params"]["model"] == f"openai/{MODEL}"
    assert model["litellm_params"]["api_base"] == "os.environ/BEHIND"


def test_what_is_not_there_is_told_with_the_command_that_sets_it_up(tmp_path: Path) -> None:
    nothing = Stage(tmp_path, {}, tmp_path)

    for name, missing in (("vllm-rs", "vllm-rs"), ("litellm", "litellm"), ("litellm-granian", "litellm")):
        assert unmet(name, tmp_path) == missing
        with pytest.raises(PlanError, match=f"peers setup {missing} --into"):
            recipe(name, nothing)
    assert all(unmet(name, tmp_path) is None for name in ("hearth", "vllm", "hearth-relay", "starlette", "floor"))


def test_an_unknown_peer_is_refused_with_those_there_are(stage: Stage) -> None:
    with pytest.raises(PlanError, match="no peer called 'nginx'; there are hearth, vllm"):
        recipe("nginx", stage)
