"""A conversation stays with its engine."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engines.affinity import conversation, ranked
from engines.base import Prompt

ENGINES = st.sets(st.text(min_size=1, max_size=20), min_size=1, max_size=8)
KEYS = st.binary(min_size=16, max_size=16)


def chat(*said: tuple[str, str], **parameters: Any) -> Prompt:
    return Prompt(messages=tuple({"role": role, "content": text} for role, text in said), parameters=parameters)


FIRST = (("system", "You are kind."), ("user", "Hello"))


def test_every_turn_of_a_chat_is_of_one_conversation() -> None:
    later = (*FIRST, ("assistant", "Hi."), ("user", "And now?"))
    assert conversation(chat(*FIRST)) == conversation(chat(*later)) == conversation(chat(*later, temperature=1))


def test_another_opening_is_another_conversation() -> None:
    others = [chat(("user", "Hello")), chat(*FIRST[:1], ("user", "Bye")), chat(("user", "You are kind."), ("user", ""))]
    assert len({conversation(each) for each in [chat(*FIRST), *others]}) == 4


def test_a_raw_prompt_has_a_conversation_only_if_its_prefix_is_worth_keeping() -> None:
    assert conversation(Prompt(texts=("short",))) is None
    long = "x" * 3000
    assert conversation(Prompt(texts=(long,))) == conversation(Prompt(texts=(long + " and more",)))
    assert conversation(Prompt(texts=(tuple(range(3000)),))) != conversation(Prompt(texts=(long,)))


@given(KEYS, ENGINES)
def test_every_replica_ranks_alike_whatever_order_it_knows_them_in(key: bytes, engines: set[str]) -> None:
    assert ranked(key, sorted(engines)) == ranked(key, sorted(engines, reverse=True))


@given(KEYS, ENGINES, st.text(min_size=21, max_size=22))
def test_an_engine_that_comes_or_goes_moves_only_its_own_conversations(key: bytes, engines: set[str], new: str) -> None:
    before, after = ranked(key, engines), ranked(key, engines | {new})
    assert [engine for engine in after if engine != new] == before


def test_conversations_are_dealt_out_evenly() -> None:
    engines = ["a", "b", "c", "d"]
    dealt = Counter(ranked(bytes([n % 256, n // 256] * 8), engines)[0] for n in range(4000))
    assert all(900 < count < 1100 for count in dealt.values())
