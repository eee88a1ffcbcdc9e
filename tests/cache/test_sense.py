"""What two questions have in common when the answer to one is an answer to the other."""

from __future__ import annotations

import pytest

from cache.sense import sense
from tests.cache.questions import OTHER, SAME


@pytest.mark.parametrize(("one", "other"), SAME)
def test_other_words_for_the_same_mean_the_same(one: str, other: str) -> None:
    assert sense(one) == sense(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_what_means_something_else_does_not(one: str, other: str) -> None:
    assert sense(one) != sense(other)


@pytest.mark.parametrize(
    "text",
    [
        "How do I reset my password? In French.",
        "Please explain: x",
        'Please explain "x".',
        "What's the time, please?",
        "how do I sort a  list?",
        " how do I sort a list?",
        "how do I sort a list?\n",
        "Please write a poem for 👍.",
        "What's 1.5% of 80?",
        "法国的首都是什么",
        "Wie spät ist es?",
        "",
    ],
)
def test_what_is_no_plain_sentence_that_is_known_means_only_itself(text: str) -> None:
    assert sense(text) == text


def test_a_capital_counts_everywhere_but_where_a_sentence_begins() -> None:
    assert sense("Where is the mass of a Pole?") == sense("where is the mass of a Pole")
    assert len({sense(f"where is the {word}") for word in ("us", "Us", "US")}) == 3
    assert sense("Polish names") != sense("polish names")


def test_a_mark_counts_where_it_may_make_a_question_of_a_statement() -> None:
    assert sense("Explain why.") != sense("Explain why?")
    assert sense("Do sit down.") != sense("Do sit down?")
    assert sense("You did it") != sense("You did it?")
    assert sense("What is 5!") != sense("What is 5")


def test_what_has_is_not_taken_for_what_is() -> None:
    assert sense("What's the teacher of Tom?") == sense("What is the teacher of Tom?")
    assert sense("What's the teacher of Tom taught?") != sense("What is the teacher of Tom taught?")
    assert sense("Who's eaten?") != sense("Who is eaten?")


def test_how_to_do_and_how_to_seem_are_two() -> None:
    assert sense("How do I change my name?") == sense("How can I change my name?") == sense("how to change my name")
    assert sense("How do I look?") != sense("How can I look?")
    assert sense("How do I change?") != sense("How can I change?")


def test_asking_nicely_changes_nothing_and_asking_whether_it_can_does() -> None:
    assert sense("Would you please explain jokes?") == sense("Please explain jokes.") == sense("explain jokes")
    assert sense("Can you explain jokes?") != sense("Explain jokes.")
    assert sense("Please everyone.") != sense("Everyone.")


@pytest.mark.parametrize("text", [text for pair in SAME for text in pair])
def test_what_was_made_plain_stays_as_it_is(text: str) -> None:
    assert sense(sense(text)) == sense(text)
