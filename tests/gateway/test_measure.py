"""What a run may take at most is known from its prompt alone."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from engines.base import Prompt
from gateway.measure import measure

LONG = "word " * 1000


def a_chat(content: Any = "hi", **parameters: Any) -> Prompt:
    return Prompt(messages=({"role": "user", "content": content},), parameters={"max_tokens": 10, **parameters})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", [{"type": "function", "function": {"name": "f", "description": LONG}}]),
        ("documents", [{"title": "a", "text": LONG}]),
        ("chat_template_kwargs", {"persona": LONG}),
        ("structured_outputs", {"choice": [LONG]}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "a", "schema": {"description": LONG}}}),
        ("chat_template", LONG),
        ("what_vllm_thinks_of_next", LONG),
    ],
)
def test_whatever_a_template_may_write_out_counts(name: str, value: Any) -> None:
    grown = measure(a_chat(**{name: value}), None).prompt_most - measure(a_chat(), None).prompt_most
    assert grown >= len(orjson.dumps(value)) > 5000


def test_numbers_do_not_count() -> None:
    assert measure(a_chat(temperature=0.5, seed=2**60, logprobs=True), None) == measure(a_chat(), None)


def test_no_prompt_is_longer_than_the_context() -> None:
    assert measure(a_chat(LONG), 2000).prompt_most == 2000


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "audio_url", "video_url", "file", "hologram", None])
def test_what_is_no_text_may_take_the_whole_context_and_nobody_knows_how_much_without_one(kind: str | None) -> None:
    asked = a_chat([{"type": "text", "text": "hi"}, {"type": kind}])
    assert measure(asked, 8000)[::2] == (8000, 10) and not measure(asked, 8000).blind
    assert measure(asked, None).blind


def test_a_template_of_the_callers_own_may_write_anything() -> None:
    asked = a_chat(chat_template="{% for i in range(10**9) %}x{% endfor %}")
    assert measure(asked, 8000).prompt_most == 8000
    assert measure(asked, None).blind


def test_what_is_all_text_is_bound_by_its_bytes() -> None:
    assert not measure(a_chat([{"type": "text", "text": "hi"}]), None).blind
    assert not measure(Prompt(texts=("hi", (1, 2, 3))), None).blind
    assert measure(Prompt(texts=("hé", (1, 2, 3))), None).prompt_most == 1024 + 3 + 3
