"""Whether a model takes a call, before it is asked."""

from __future__ import annotations

import pytest

from engines.base import Prompt, Traits
from gateway.capability import check, replaces
from gateway.errors import HearthError

LONG = Prompt(messages=({"role": "user", "content": "x" * 4000},))
SHORT = Prompt(messages=({"role": "user", "content": "hello"},))
PICTURE = Prompt(messages=({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]},))


@pytest.mark.parametrize(
    ("traits", "prompt", "field"),
    [
        (Traits(embeds=True), SHORT, "model"),
        (Traits(chat=False), SHORT, "messages"),
        (Traits(parameters=frozenset({"seed"})), Prompt(texts=("a",), parameters={"sead": 1}), "sead"),
    ],
)
def test_what_a_model_does_not_take_is_named(traits: Traits, prompt: Prompt, field: str) -> None:
    with pytest.raises(HearthError) as refused:
        check("m", traits, prompt)
    assert (refused.value.code, refused.value.parameter) == ("invalid_request", field)
    assert not replaces("m", traits, Traits(), prompt)


@pytest.mark.parametrize(
    ("here", "there", "prompt", "surely"),
    [
        (4096, 4096, LONG, True),
        (4096, 32_768, SHORT, True),
        (4096, 32_768, LONG, False),
        (4096, None, LONG, False),
        (None, 32_768, LONG, True),
        (4096, 32_768, PICTURE, False),
        (4096, 2048, PICTURE, True),
        (4096, 32_768, Prompt(texts=("hello",), parameters={"max_tokens": 4000}), False),
    ],
)
def test_a_shorter_context_takes_what_surely_fits(
    here: int | None, there: int | None, prompt: Prompt, surely: bool
) -> None:
    assert replaces("m", Traits(context_length=here), Traits(context_length=there), prompt) == surely
