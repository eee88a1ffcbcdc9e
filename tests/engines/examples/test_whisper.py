"""Whisper as a predictor: the real architecture, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.examples import tiny
from tests.engines.examples.sounds import encoded, tone


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from engines.examples.whisper.predict import Predictor

    predictor = Predictor()
    predictor.setup(str(tiny.whisper(tmp_path_factory.mktemp("whisper"))))
    return predictor


def test_what_is_said_is_written_down_with_its_times(predictor: Any, tmp_path: Path) -> None:
    heard = predictor.predict(tone(tmp_path / "a.wav", 2), "auto", False)
    assert heard.transcription == "".join(segment["text"] for segment in heard.segments).strip() != ""
    assert [segment["id"] for segment in heard.segments] == list(range(len(heard.segments)))
    assert all(0 <= segment["start"] <= segment["end"] for segment in heard.segments)


def test_the_same_sound_gives_the_same_text(predictor: Any, tmp_path: Path) -> None:
    sound = tone(tmp_path / "a.wav", 2)
    assert predictor.predict(sound, "auto", False) == predictor.predict(sound, "auto", False)


def test_a_sound_longer_than_the_model_hears_at_once_is_heard_to_its_end(
    predictor: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = predictor.predict(tone(tmp_path / "a.wav", 65), "en", False)
    assert heard.segments[-1]["start"] > 60
    assert "| 6500/6500 [" in capsys.readouterr().err


def test_a_language_is_found_where_none_is_named(predictor: Any, tmp_path: Path) -> None:
    sound = tone(tmp_path / "a.wav", 1)
    assert predictor.predict(sound, "auto", False).detected_language in ("en", "de")
    assert predictor.predict(sound, "German", False).detected_language == "de"


def test_to_translate_is_another_task(predictor: Any, tmp_path: Path) -> None:
    sound = tone(tmp_path / "a.wav", 1)
    assert predictor.predict(sound, "de", True) != predictor.predict(sound, "de", False)


def test_a_language_that_is_none_is_refused(predictor: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^language: 'klingon' is none"):
        predictor.predict(tone(tmp_path / "a.wav", 1), "klingon", False)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_any_kind_of_sound_is_heard_in_mono_at_sixteen_kilohertz(tmp_path: Path, name: str) -> None:
    from engines.examples.whisper.predict import sound

    given = tone(tmp_path / "given.wav", 2, rate=44_100, channels=2)
    heard = sound(given if name == "a.wav" else encoded(tmp_path / name, given))
    assert heard.ndim == 1
    assert 2 * 16_000 <= len(heard) < 2.1 * 16_000
    assert 0.2 < abs(heard[8_000:24_000]).max() < 0.5


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it cannot be read: "),
        (b"words", "it cannot be read: "),
        (b"ffconcat version 1.0\nfile other.wav\n", "it cannot be read: "),
        (None, "there is no sound in it"),
    ],
    ids=["nothing", "words", "a list of other files", "silence of no length"],
)
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes | None, why: str) -> None:
    from engines.examples.whisper.predict import sound

    tone(tmp_path / "other.wav", 1)
    given = tone(tmp_path / "given.wav", 0)
    if content is not None:
        given.write_bytes(content)
    with pytest.raises(ValueError, match=f"^audio: {why}"):
        sound(given)
