"""BLIP-2 as a predictor: the real architecture, at 28 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from tests.engines.examples import tiny


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from engines.examples.caption.predict import Predictor

    predictor = Predictor()
    predictor.setup(str(tiny.blip2(tmp_path_factory.mktemp("blip2"))))
    return predictor


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.linear_gradient("L").save(path)
    return path


def test_a_picture_is_described_the_same_each_time(predictor: Any, picture: Path) -> None:
    described = predictor.predict(picture, "", 12)
    assert described
    assert predictor.predict(picture, "", 12) == described


def test_another_picture_is_described_otherwise(predictor: Any, picture: Path) -> None:
    described = predictor.predict(picture, "", 12)
    Image.new("RGBA", (90, 40), "red").save(picture)
    assert predictor.predict(picture, "", 12) != described


def test_an_answer_does_not_say_the_question_again(predictor: Any, picture: Path) -> None:
    answer = predictor.predict(picture, "  What is it?", 12)
    assert answer
    assert "Question" not in answer
    assert answer != predictor.predict(picture, "", 12)


def test_an_answer_is_no_longer_than_it_may_be(predictor: Any, picture: Path) -> None:
    assert len(predictor.predict(picture, "What is it?", 3)) < len(predictor.predict(picture, "What is it?", 12)) <= 12


def test_a_picture_that_lies_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    from engines.examples.caption.predict import picture

    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("L", (64, 32)).save(tmp_path / "turned.jpg", exif=exif)
    shown = picture(tmp_path / "turned.jpg")
    assert (shown.mode, shown.size) == ("RGB", (32, 64))


def test_what_is_no_picture_is_refused(predictor: Any, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(ValueError, match=r"^image: it cannot be read as a picture"):
        predictor.predict(tmp_path / "words.png", "", 12)
