"""OpenAI's embeddings body and answer."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from engines.base import Embeddings, Prompt
from gateway.errors import HearthError
from gateway.wire.embeddings import EmbeddingAsk, parse, pieces


@pytest.mark.parametrize(
    ("sent", "texts"),
    [
        ("a fox", ("a fox",)),
        (["a fox", "an owl"], ("a fox", "an owl")),
        ([5, 6, 7], ((5, 6, 7),)),
        ([[5, 6], [7]], ((5, 6), (7,))),
    ],
)
def test_every_form_of_input_is_read(sent: Any, texts: tuple[Any, ...]) -> None:
    assert parse({"model": "demo", "input": sent}) == EmbeddingAsk("demo", Prompt(texts=texts))


def test_what_says_who_asks_is_no_parameter() -> None:
    body = {"model": "demo", "input": "x", "user": "ann", "dimensions": 8, "encoding_format": "base64", "truncate": 3}
    asked = parse(body)
    assert asked.base64
    assert asked.prompt.parameters == {"dimensions": 8, "truncate": 3}


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"input": "x"}, "model"),
        ({"model": "demo"}, "input"),
        ({"model": "demo", "input": []}, "input"),
        ({"model": "demo", "input": {"text": "x"}}, "input"),
        ({"model": "demo", "input": ["x", 5]}, "input.1"),
        ({"model": "demo", "input": [[5, -1]]}, "input.0.1"),
        ({"model": "demo", "input": [[]]}, "input.0"),
        ({"model": "demo", "input": ["x"] * 2049}, "input"),
        ({"model": "demo", "input": "x", "encoding_format": "int8"}, "encoding_format"),
        ({"model": "demo", "input": "x", "dimensions": 0}, "dimensions"),
        ({"model": "demo", "input": "x", "dimensions": "8"}, "dimensions"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], parameter: str) -> None:
    with pytest.raises(HearthError) as refused:
        parse(body)
    assert (refused.value.code, refused.value.parameter) == ("invalid_request", parameter)


def test_nulls_count_as_absent() -> None:
    asked = parse({"model": "demo", "input": "x", "dimensions": None, "encoding_format": None, "user": None})
    assert asked == EmbeddingAsk("demo", Prompt(texts=("x",)))


MADE = Embeddings((struct.pack("<3f", 1, 0.5, -2), struct.pack("<3f", 0, 0, 1)), 7)


def test_an_answer_holds_numbers() -> None:
    told = json.loads(b"".join(pieces(parse({"model": "demo", "input": ["a", "b"]}), MADE)))
    assert told == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1, 0.5, -2]},
            {"object": "embedding", "index": 1, "embedding": [0, 0, 1]},
        ],
        "model": "demo",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


def test_an_answer_in_base64_holds_the_same_numbers() -> None:
    told = json.loads(b"".join(pieces(parse({"model": "m", "input": ["a", "b"], "encoding_format": "base64"}), MADE)))
    assert struct.unpack("<3f", base64.b64decode(told["data"][0]["embedding"])) == (1, 0.5, -2)
