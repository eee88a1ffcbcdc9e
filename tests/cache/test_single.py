"""Which asks are one question."""

from __future__ import annotations

from typing import Any

import pytest

from cache.single import MOST_CHARACTERS, Single, single

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Why?"}


def test_a_chat_of_one_question_is_one() -> None:
    assert single([SYSTEM, USER], {}) == Single("Why?", [SYSTEM, {"role": "user", "content": None}])
    assert single([USER], {"temperature": 0, "n": 1, "tools": []}) is not None


def test_one_part_of_text_is_plain() -> None:
    assert single([{"role": "user", "content": [{"type": "text", "text": "Why?"}]}], {}) == single([USER], {})


def test_only_the_question_is_taken_out() -> None:
    rests = [
        single(messages, {})
        for messages in ([USER], [SYSTEM, USER], [{**SYSTEM, "content": "Be long."}, USER], [{**USER, "name": "ann"}])
    ]
    assert all(rests)
    assert len({str(each and each.rest) for each in rests}) == 4


ASSISTANT = {"role": "assistant", "content": "Because."}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


@pytest.mark.parametrize(
    ("messages", "parameters"),
    [
        ([USER, ASSISTANT, USER], {}),
        ([USER, USER], {}),
        ([SYSTEM, SYSTEM, USER], {}),
        ([USER, SYSTEM], {}),
        ([SYSTEM], {}),
        ([{"role": "user", "content": [IMAGE]}], {}),
        ([{"role": "user", "content": [{"type": "text", "text": "What is it?"}, IMAGE]}], {}),
        ([{"role": "user", "content": "  "}], {}),
        ([{"role": "user", "content": "x" * (MOST_CHARACTERS + 1)}], {}),
        ([USER], {"n": 2}),
        ([USER], {"logprobs": True}),
        ([USER], {"tools": [{"type": "function", "function": {"name": "f"}}]}),
        ([], {}),
    ],
)
def test_whatever_is_more_is_none(messages: Any, parameters: dict[str, Any]) -> None:
    assert single(messages, parameters) is None
