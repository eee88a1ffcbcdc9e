"""Stable Diffusion XL as a predictor: the real architecture, at 64 pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from tests.engines.examples import tiny

# diffusers' own, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Draw = Callable[..., list[bytes]]


@pytest.fixture(scope="module")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Draw]:
    """The files of a prediction, each small and of few steps."""
    from engines.examples.sdxl.predict import Predictor

    predictor = Predictor()
    predictor.setup(str(tiny.sdxl(tmp_path_factory.mktemp("sdxl"))))

    def draw(**inputs: object) -> list[bytes]:
        asked: dict[str, Any] = {
            "prompt": "a fox",
            "negative_prompt": "",
            "image": None,
            "prompt_strength": 0.8,
            "width": 64,
            "height": 64,
            "num_outputs": 1,
            "scheduler": "K_EULER",
            "num_inference_steps": 3,
            "guidance_scale": 7.5,
            "seed": 7,
        }
        return [path.read_bytes() for path in predictor.predict(**asked | inputs)]

    yield draw
    predictor.folder.cleanup()


def test_pictures_are_png_of_the_size_that_is_asked_for(draw: Draw, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(draw(width=128, height=72)[0])
    with Image.open(tmp_path / "out") as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (128, 72))


def test_one_seed_gives_the_same_pictures_and_another_one_others(draw: Draw) -> None:
    assert draw(seed=1) == draw(seed=1) != draw(seed=2)


def test_without_a_seed_each_prediction_is_another_one(draw: Draw, capsys: pytest.CaptureFixture[str]) -> None:
    assert draw(seed=None) != draw(seed=None)
    first, second = (line.removeprefix("Using seed: ") for line in capsys.readouterr().out.splitlines())
    assert draw(seed=int(first)) != draw(seed=int(second))


def test_the_pictures_of_one_prediction_differ(draw: Draw) -> None:
    assert len(set(draw(num_outputs=3))) == 3


def test_prompt_and_negative_prompt_change_the_picture(draw: Draw) -> None:
    plain = draw()
    assert draw(prompt="an owl") != plain
    assert draw(negative_prompt="blue") != plain


@pytest.mark.parametrize(
    "scheduler", ["DDIM", "DPMSolverMultistep", "HeunDiscrete", "KarrasDPM", "K_EULER_ANCESTRAL", "PNDM"]
)
def test_every_scheduler_draws_in_its_own_way(draw: Draw, scheduler: str) -> None:
    assert draw(scheduler=scheduler) != draw(scheduler="K_EULER")


def test_a_scheduler_leaves_nothing_to_the_next_prediction(draw: Draw) -> None:
    before = draw()
    draw(scheduler="KarrasDPM")
    assert draw() == before


def test_a_picture_to_begin_with_shows_through(draw: Draw, tmp_path: Path) -> None:
    begun = tmp_path / "begun.jpg"
    Image.linear_gradient("L").convert("RGB").resize((200, 90)).save(begun)
    drawn = draw(image=begun, prompt_strength=0.4)
    assert drawn != draw(image=begun, prompt_strength=0.9)
    (tmp_path / "out").write_bytes(drawn[0])
    with Image.open(tmp_path / "out") as picture:
        assert picture.size == (64, 64)
        assert ImageChops.difference(picture, Image.new("RGB", picture.size)).getbbox()


def test_progress_is_printed_step_by_step(draw: Draw, capsys: pytest.CaptureFixture[str]) -> None:
    draw(num_inference_steps=5)
    assert "| 5/5 [" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["width", "height"])
def test_a_side_that_cannot_be_drawn_is_named(draw: Draw, name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: 65 is no multiple of 8"):
        draw(**{name: 65})


def test_what_is_no_picture_is_refused(draw: Draw, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(ValueError, match=r"^image: it cannot be read as a picture"):
        draw(image=tmp_path / "words.png")
