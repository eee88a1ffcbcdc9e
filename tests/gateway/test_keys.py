"""A key says what it may do."""

from __future__ import annotations

import pytest

from gateway.keys import Key


@pytest.mark.parametrize(
    ("allowed", "model", "may"),
    [
        ("qwen-*", "qwen-3", True),
        ("qwen-*", "my-qwen-3", False),
        ("*[8b]*", "llama[8b]-it", True),
        ("llama[8b]", "llama[8b]", True),
        ("llama[8b]", "llama8", False),
        ("llama[!8]", "llamab", False),
        ("llama?", "llama?", True),
        ("llama?", "llama3", False),
        ("Llama", "llama", False),
    ],
)
def test_only_a_star_stands_for_any_letters_of_a_models_name(allowed: str, model: str, may: bool) -> None:
    assert Key(id="k", name="k", namespace="k", models=("another", allowed)).may_ask(model) is may
