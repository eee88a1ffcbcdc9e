"""Words that speak against one answer to two questions."""

from __future__ import annotations

import pytest

from cache.sense import difference
from tests.cache.questions import OTHER, SAME


@pytest.mark.parametrize(("one", "other"), SAME)
def test_other_words_for_the_same_pass(one: str, other: str) -> None:
    assert difference(one, other) is None
    assert difference(other, one) is None


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_means_something_else_does_not(one: str, other: str) -> None:
    assert difference(one, other) is not None
    assert difference(other, one) is not None


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("Is it 3.10?", "Is it 3.11?", "turn"),
        ("Is it open?", "Isn’t it open?", "turn"),
        ("if (x)", "if (!x)", "turn"),
        ("When is the party?", "Where is the party?", "turn"),
        ("What is my name?", "What is your name?", "turn"),
        ("Welche Pilze sind essbar?", "Welche Pilze sind nicht essbar?", "turn"),
        ("Does the dog bite the man?", "Does the man bite the dog?", "order"),
        ("Is the cat on the mat?", "Is the mat on the cat?", "order"),
        ("What is the capital of Austria?", "What is the capital of Australia?", "exchange"),
        ("What is in the box?", "What is outside the box?", "exchange"),
        ("How do I lock the door?", "How do I unlock the door?", "exchange"),
        ("法国的首都是什么", "德国的首都是什么", "exchange"),
        ("Is water wet?", "Is cold sea water wet?", "more"),
    ],
)
def test_each_kind_of_difference_has_its_name(one: str, other: str, why: str) -> None:
    assert difference(one, other) == why
    assert difference(other, one) == why


@pytest.mark.parametrize(
    "text",
    ["How do I reset my password?", "Can't I? I won't. They'll see what's 5% of £3,000!", "x != y", "", "42", "ja"],
)
def test_a_question_means_what_it_means(text: str) -> None:
    assert difference(text, text) is None
    assert difference(text, f"  {text.upper()} ") is None
