"""Which of several warm engines a prompt goes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.affinity import ranked
from engines.choice import Candidate, choose

KEY = b"0123456789abcdef"
OWED = st.dictionaries(st.text(min_size=1, max_size=5), st.integers(0, 1_000_000), min_size=1, max_size=8)


def candidates(**owed: int) -> list[Candidate]:
    return [Candidate(engine, tokens) for engine, tokens in owed.items()]


def test_what_is_no_conversation_goes_to_whichever_owes_least() -> None:
    assert choose(candidates(a=30, b=10, c=20), None) == "b"
    assert choose(candidates(b=10, a=10), None) == "a"


def test_a_conversation_stays_with_its_engine_as_long_as_others_have_not_notably_less_to_do() -> None:
    own, other = ranked(KEY, ["a", "b"])
    assert choose([Candidate(own, 4000), Candidate(other, 0)], KEY) == own
    assert choose([Candidate(own, 40_000), Candidate(other, 0)], KEY) == other
    assert choose([Candidate(own, 40_000), Candidate(other, 39_000)], KEY) == own


def test_one_that_is_driven_away_goes_to_its_next_best_and_not_to_just_any() -> None:
    own, second, third = ranked(KEY, ["a", "b", "c"])
    assert choose([Candidate(own, 90_000), Candidate(second, 1000), Candidate(third, 0)], KEY) == second


@given(OWED, st.one_of(st.none(), st.binary(min_size=16, max_size=16)))
def test_nobody_is_sent_where_notably_more_is_to_do_than_on_average(owed: dict[str, int], key: bytes | None) -> None:
    chosen = choose([Candidate(engine, tokens) for engine, tokens in owed.items()], key)
    assert owed[chosen] <= 1.25 * sum(owed.values()) / len(owed) + 4096


@pytest.mark.parametrize("key", [None, KEY])
def test_an_only_engine_is_chosen_whatever_it_owes(key: bytes | None) -> None:
    assert choose(candidates(a=10**9), key) == "a"
