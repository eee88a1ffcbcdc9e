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


def test_whoever_may_ask_a_model_may_ask_the_versions_that_were_pushed_to_it() -> None:
    key = Key(id="k", name="k", namespace="k", models=("acme/one",))
    assert key.may_ask("acme/one") and key.may_ask("acme/one:0123456789ab")
    assert not key.may_ask("acme/one:8b") and not key.may_ask("acme/other:0123456789ab")
