"""Example models as users run them: a folder, weights by name, a prediction."""

from __future__ import annotations

import base64
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

import pytest
from PIL import Image

from engines import registry
from engines.base import Chunk, Engine, LogLine, Output, Prompt
from engines.errors import EngineError
from tests.engines.examples import tiny
from tests.engines.examples.sounds import tone

FOLDERS = Path(__file__).parents[3] / "engines" / "examples"

# Each imports torch twice, in processes of its own.
pytestmark = pytest.mark.timeout(300)


@asynccontextmanager
async def started(name: str, weights: Path, cache: Path) -> AsyncIterator[Engine]:
    knobs = {"python": sys.executable, "env.COG_WEIGHTS": weights, "env.OMP_NUM_THREADS": 1, "start_s": 250}
    source = registry.parse(f"{name}=cog:{FOLDERS / name}?{urlencode(knobs)}")
    [place] = registry.build([source], predictors=registry.Predictors(cache))
    await place.engine.start(lambda stage: None)
    try:
        yield place.engine
    finally:
        await place.engine.stop()
        await place.engine.close()


async def answer(engine: Engine, **inputs: object) -> list[Chunk]:
    async with aclosing(engine.generate("gen", Prompt(inputs=inputs))) as chunks:
        return [chunk async for chunk in chunks]


def outputs(chunks: list[Chunk]) -> list[object]:
    return [chunk.value for chunk in chunks if isinstance(chunk, Output)]


def logs(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, LogLine))


async def test_sdxl_draws_pictures_and_tells_how_far_it_is(tmp_path: Path) -> None:
    async with started("sdxl", tiny.sdxl(tmp_path / "weights"), tmp_path) as engine:
        small = {"prompt": "a fox", "width": 64, "height": 64, "num_inference_steps": 3, "seed": 1}
        drawn = await answer(engine, **small, num_outputs=2)
        [pictures] = outputs(drawn)
        assert isinstance(pictures, list)
        assert [Image.open(BytesIO(content(each))).size for each in pictures] == [(64, 64), (64, 64)]
        seed, *steps = logs(drawn).splitlines()
        assert seed == "Using seed: 1"
        assert steps[0].startswith("  0%|") and " 0/3 [" in steps[0]
        assert steps[-1].startswith("100%|") and " 3/3 [" in steps[-1]
        assert outputs(await answer(engine, **small, image=pictures[1])) != [pictures[:1]]
        with pytest.raises(EngineError, match="width: 65 is no multiple of 8") as refused:
            await answer(engine, prompt="a fox", width=65)
        assert refused.value.code == "prediction_failed"


async def test_whisper_takes_a_sound_and_gives_a_transcription(tmp_path: Path) -> None:
    async with started("whisper", tiny.whisper(tmp_path / "weights"), tmp_path) as engine:
        sound = base64.b64encode(tone(tmp_path / "a.wav", 1).read_bytes()).decode()
        [heard] = outputs(await answer(engine, audio=f"data:audio/wav;base64,{sound}", language="de"))
        assert isinstance(heard, dict)
        assert heard.keys() == {"transcription", "segments", "detected_language"}
        assert heard["detected_language"] == "de"


def content(url: object) -> bytes:
    """What a data URL of a PNG holds."""
    assert isinstance(url, str)
    kind, _, encoded = url.partition(",")
    assert kind == "data:image/png;base64"
    return base64.b64decode(encoded)
