"""Real vLLM, and models that cannot boot: each is told in one sentence, with what to do."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engines import registry
from engines.errors import EngineError
from engines.vllm import resting
from engines.vllm.engine import VllmEngine
from engines.vllm.hosting import BUNDLED, OwnHost
from engines.vllm.nest import Nest

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nest() -> AsyncIterator[Nest]:
    """One nursery for all of them."""
    nest = Nest()
    nest.join()
    yield nest
    await nest.leave()


async def refusal(nest: Nest, written: str) -> EngineError:
    """Why that model does not boot."""
    model = registry.parse(written)
    level, knobs = resting.split(model.name, model.knobs)
    engine = VllmEngine(OwnHost(nest, model.name, model.source, knobs, sleeps=level is not None), level)
    with pytest.raises(EngineError) as refused:
        await engine.start(lambda stage: None)
    await engine.close()
    return refused.value


def edit(model: Path, **changes: Any) -> None:
    """Change lines of its config.json."""
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda model: shutil.rmtree(model), "is no folder"),
        (lambda model: (model / "config.json").unlink(), "no config.json"),
        (lambda model: (model / "config.json").write_text("{"), "no config.json"),
        (lambda model: (model / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda model: (model / "model.safetensors").unlink(), "holds no weights"),
        (lambda model: os.truncate(model / "model.safetensors", 100_000), "damaged or cut off"),
        (lambda model: edit(model, hidden_size=384), "do not fit its config.json"),
        (lambda model: edit(model, architectures=["Wizard"]), "does not know this model's architecture ('Wizard')"),
        (lambda model: edit(model, model_type="wizard"), "does not know this model's architecture (`wizard`)"),
    ],
)
async def test_a_model_that_is_none_is_told_in_one_sentence(
    nest: Nest, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(BUNDLED, model)
    spoil(model)
    message = (await refusal(nest, f"odd=vllm:{model}")).message
    assert said in message
    assert message.endswith(".") and len(message) < 300 and "\n" not in message


@pytest.mark.parametrize(
    ("knobs", "code", "said"),
    [
        ("max_modle_len=5", "bad_model_source", "max-modle-len"),
        ("dtype=float17", "bad_model_source", "float17"),
        ("rest=sleep", "bad_model_source", "(cpu). Write rest=stop"),
        ("max_model_len=99999", "boot_failed", "more than the 2048 tokens"),
        ("kv_cache_memory_bytes=900000000000", "boot_failed", "The KV cache wants 838.19 GiB"),
        ("kv_cache_memory_bytes=100000", "boot_failed", "No memory is left for the KV cache"),
        ("gpu_memory_utilization=7", "boot_failed", "gpu_memory_utilization: "),
        ("tensor_parallel_size=2", "boot_failed", "NUMA"),
    ],
)
async def test_a_knob_that_cannot_be_is_told(nest: Nest, knobs: str, code: str, said: str) -> None:
    refused = await refusal(nest, f"odd=vllm:bundled?{knobs}")
    assert refused.code == code
    assert said in refused.message
