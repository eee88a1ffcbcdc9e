"""Models as a user names them."""

from __future__ import annotations

import pytest

from engines import registry
from engines.errors import EngineError


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("campfire=vllm:bundled", ("campfire", "vllm", "bundled", {})),
        ("demo=scripted:?prefill_ms=20&token_ms=5", ("demo", "scripted", "", {"prefill_ms": "20", "token_ms": "5"})),
        ("q=vllm:Qwen/Qwen3-0.6B?max_model_len=8192", ("q", "vllm", "Qwen/Qwen3-0.6B", {"max_model_len": "8192"})),
        ("ll=replicate:meta/llama-3?url=http://h/v1", ("ll", "replicate", "meta/llama-3", {"url": "http://h/v1"})),
        ("a/b=vllm:/models/x", ("a/b", "vllm", "/models/x", {})),
        ("say=scripted:?answer=Once+upon%20a+time", ("say", "scripted", "", {"answer": "Once upon a time"})),
    ],
)
def test_a_model_is_named_by_its_parts(written: str, parts: tuple[object, ...]) -> None:
    assert tuple(registry.parse(written)) == parts


@pytest.mark.parametrize(
    "written",
    ["", "campfire", "=vllm:x", "a=vllm", "a=:x", "a b=vllm:x", "a\n=vllm:x", "a=vllm:x?knob", "a=vllm:x?k=1&k=2"],
)
def test_what_names_no_model_is_told_how_to_write_one(written: str) -> None:
    with pytest.raises(EngineError) as refused:
        registry.parse(written)
    assert refused.value.code == "bad_model_source"
    assert refused.value.message


@pytest.mark.parametrize(
    "named",
    [
        ["a=nothing:x"],
        ["a=vllm:"],
        ["a=scripted:source"],
        ["a=replicate:"],
        ["a=replicate:llama"],
    ],
)
def test_what_cannot_be_built_is_told(named: list[str]) -> None:
    with pytest.raises(EngineError) as refused:
        registry.build([registry.parse(written) for written in named])
    assert refused.value.code == "bad_model_source"


def test_engines_of_one_name_stand_behind_it_together() -> None:
    places = registry.build([registry.parse(written) for written in ("a=scripted:", "b=scripted:", "a=scripted:")])
    assert [(place.id, place.model) for place in places] == [("a", "a"), ("b", "b"), ("a 2", "a")]


def identities(*named: str) -> list[str]:
    places = registry.build([registry.parse(written) for written in named], replicate_token="r8_token")
    return [place.identity() for place in places if place.identity]


def test_what_determines_the_answers_is_known_of_every_engine_before_it_boots() -> None:
    named = [
        "a=vllm:bundled",
        "a=scripted:",
        "a=scripted:?answer=Yes",
        "a=openai:http://10.0.0.1/v1?model=one",
        "a=openai:http://10.0.0.1/v1?model=two",
        "a=replicate:meta/llama-3",
    ]
    found = identities(*named)
    assert found == identities(*named)
    assert len({*found}) == len(named)
    assert all(len(each) == 64 for each in found)


def test_how_an_engine_rests_and_how_it_is_watched_changes_no_answer() -> None:
    assert identities("a=vllm:bundled") == identities("a=vllm:bundled?rest=sleep")
    url = "openai:http://10.0.0.1/v1?model=one"
    assert identities(f"a={url}") == identities(f"a={url}&health_s=5")
