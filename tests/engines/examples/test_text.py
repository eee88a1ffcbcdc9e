"""Text as a predictor: the bundled model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engines import campfire

ASKED = {
    "prompt": "Tell me a story about a fox.",
    "system_prompt": "",
    "max_tokens": 24,
    "temperature": 0.0,
    "top_p": 1.0,
    "seed": None,
}


@pytest.fixture(scope="module")
def predictor() -> Any:
    from engines.examples.text.predict import Predictor

    predictor = Predictor()
    predictor.setup(str(Path(campfire.__file__).parent / "model"))
    return predictor


def test_an_answer_comes_in_pieces(predictor: Any) -> None:
    pieces = list(predictor.predict(**ASKED))
    assert len(pieces) > 10
    assert "fox" in "".join(pieces)
    assert all(pieces)


def test_one_seed_gives_the_same_answer_and_none_another_each_time(predictor: Any) -> None:
    def answer(seed: int | None) -> str:
        return "".join(predictor.predict(**ASKED | {"temperature": 1.5, "seed": seed}))

    assert answer(3) == answer(3)
    assert len({answer(None) for _ in range(4)}) > 1


def test_what_it_counted_is_told(predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, int] = {}
    monkeypatch.setattr(predictor, "record_metric", told.__setitem__)
    list(predictor.predict(**ASKED))
    assert told["input_token_count"] > 5
    assert told["output_token_count"] == 24


def test_whoever_leaves_ends_the_work(predictor: Any) -> None:
    pieces = predictor.predict(**ASKED | {"max_tokens": 2000})
    next(pieces)
    pieces.close()
    # Had it gone on, it would answer in the midst of that.
    assert "".join(predictor.predict(**ASKED)) == "".join(predictor.predict(**ASKED))


def test_a_prompt_that_does_not_fit_is_refused(predictor: Any) -> None:
    with pytest.raises(ValueError, match="max_tokens 4096, are more than the model's 2048"):
        next(predictor.predict(**ASKED | {"max_tokens": 4096}))


def test_an_error_of_the_model_ends_the_stream(predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("CUDA error")

    monkeypatch.setattr(predictor.model, "generate", fail)
    with pytest.raises(RuntimeError, match="CUDA error"):
        list(predictor.predict(**ASKED))
