"""What is asked is as alike, as long and as often as was stated, and the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtest.lengths import Lengths
from loadtest.trace import TraceError, parse
from loadtest.workloads import Conversations, Distinct, Fixed, Replayed, Workload, Zipf

WORDS = Lengths(4, 9)


@pytest.mark.parametrize(
    "work",
    [
        Distinct(WORDS),
        Fixed(WORDS),
        Zipf(50, 1.0, WORDS),
        Conversations(4, 8, 2, 30, WORDS),
        Replayed([(3, 5)] * 100),
    ],
)
def test_the_same_seed_asks_the_same(work: Workload) -> None:
    """So that it can be repeated on another server, in any order."""
    asked = [work.ask(number) for number in range(100)]

    assert [work.ask(number) for number in reversed(range(100))] == asked[::-1]


def test_no_two_distinct_requests_are_alike() -> None:
    """Neither within a run nor between seeds: a cache would answer."""
    works = Distinct(WORDS), Distinct(WORDS, seed=1)

    assert len({work.ask(number).text for work in works for number in range(500)}) == 1000


def test_prompts_and_answers_are_as_long_as_asked() -> None:
    """Between both ends, and each end is met."""
    asked = [Distinct(WORDS, Lengths(7, 8)).ask(number) for number in range(500)]

    assert {len(each.text.partition(": ")[2].split()) for each in asked} == {*range(4, 10)}
    assert {each.max_tokens for each in asked} == {7, 8}


def test_a_fixed_request_is_always_the_same() -> None:
    """What a cache likes best."""
    assert len({Fixed(WORDS).ask(number).text for number in range(50)}) == 1


def test_zipf_asks_the_first_ranks_most() -> None:
    """In proportion to 1 / r^skew."""
    counts = Counter(Zipf(20, 1.0).ask(number).text for number in range(5000))
    [(_, first), (_, second), *_] = counts.most_common()

    assert len(counts) == 20
    assert first / second == pytest.approx(2, rel=0.2)


def test_a_turn_is_sent_with_all_that_was_said_before() -> None:
    """Request n + beside is the next turn of request n, and its prompt begins as that one's did."""
    talks = Conversations(turns=3, beside=4, systems=2, system_words=10, words=WORDS)
    for number in range(8):
        earlier, later = talks.ask(number).messages, talks.ask(number + 4).messages
        assert [*later[: len(earlier)]] == [*earlier]
        assert [message["role"] for message in later[len(earlier) :]] == ["assistant", "user"]

    assert [message["role"] for message in talks.ask(12).messages] == ["system", "user"]


def test_talks_share_some_system_prompts() -> None:
    """And nothing else."""
    talks = Conversations(turns=1, beside=4, systems=3, system_words=25)
    systems = {talks.ask(number).messages[0]["content"] for number in range(60)}

    assert len(systems) == 3
    assert all(len(system.split()) == 25 for system in systems)
    assert len({talks.ask(number).messages[1]["content"] for number in range(60)}) == 60


def test_a_trace_is_replayed_in_its_order() -> None:
    """From its first request on; names, comments and empty lines are none."""
    lines = ["seconds,prompt words,output tokens", "# a day", "", "100.5,8,32", "99.5, 4, 16"]
    arrivals, work = parse(lines)

    assert arrivals.seconds == (0.0, 1.0)
    assert [(len(each.text.partition(": ")[2].split()), each.max_tokens) for each in map(work.ask, (0, 1))] == [
        (4, 16),
        (8, 32),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1,2", "line 2 is not"),
        ("x,2,3", "line 2 is not"),
        ("nan,2,3", "line 2 has no time"),
        ("1,0,3", "line 2 has no time, or a length"),
        ("1,2,999999999", "line 2 has no time, or a length"),
    ],
)
def test_a_trace_that_makes_no_sense_is_refused(line: str, words: str) -> None:
    """By its line."""
    with pytest.raises(TraceError, match=words):
        parse(["0,1,1", line])


def test_an_empty_trace_is_refused() -> None:
    """There would be nothing to do."""
    with pytest.raises(TraceError, match="no request"):
        parse(["# nothing"])
