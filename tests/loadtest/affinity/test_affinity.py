"""Conversations over several engines: what is played is stated, what is counted is right."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtest.address import Address
from loadtest.affinity.counts import Counts, parse
from loadtest.affinity.mix import Mix
from loadtest.affinity.report import text
from loadtest.affinity.run import Results, Round
from loadtest.affinity.talk import Turn, talk
from loadtest.plan import PlanError
from tests.serving import serving


def test_a_round_is_the_same_for_the_same_seed_and_shares_no_prompt_with_another() -> None:
    mix = Mix(conversations=8, prompts=2)
    first, again, other = mix.of_round(1), mix.of_round(1), mix.of_round(2)
    assert first == again
    assert len({each.system for each in first}) == 2
    assert not {each.system for each in first} & {each.system for each in other}
    assert all(len(each.turns) == len(each.waits) == mix.turns and each.waits[0] <= mix.think_s for each in first)


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(PlanError, match="turns must be from 1 to 100, not 0"):
        Mix(turns=0)


def test_counts_are_of_one_model_and_its_requests_by_engine() -> None:
    told = (
        'vllm:prefix_cache_queries_total{place="a",model_name="a"} 100.0\n'
        'vllm:prefix_cache_queries_total{place="a 2",model_name="a"} 50.0\n'
        'vllm:prefix_cache_hits_total{place="a",model_name="a"} 60.0\n'
        'vllm:prefix_cache_hits_total{place="b",model_name="b"} 7.0\n'
        'vllm:request_success_total{place="a",model_name="a",finished_reason="stop"} 3.0\n'
        'vllm:request_success_total{place="a",model_name="a",finished_reason="length"} 1.0\n'
        'vllm:request_success_total{place="a 2",model_name="a",finished_reason="stop"} 2.0\n'
    )
    before = parse("", "a")
    assert parse(told, "a").less(before) == Counts(150, 60, Counter({"a": 4, "a 2": 2}))


def test_figures_are_of_what_was_answered() -> None:
    turns = [Turn(1, 0.4, 100), Turn(2, 0.1, 200, 150), Turn(2, 0.2, 200, 100), Turn(1, error="cut_off")]
    found = Round.of(turns, 500, 250, [2, 1])
    assert (found.turns, found.errors, found.hits, found.cached) == (3, 1, 0.5, 0.5)
    assert (found.first_p50, found.later_p50, found.later_p95) == (200, 100, 200)
    assert found.busiest == pytest.approx(2 / 3)


def test_each_model_has_its_line_and_the_ratio_is_of_the_same_round() -> None:
    results = Results(Mix(), 3, "block_size=32")
    for name, first in (("with", 0.1), ("without", 0.2)):
        turns = [Turn(1, first, 100), Turn(2, first, 100)]
        results.rounds[name] = [Round.of(turns, 100, 50, [2])]
    assert not results.failed
    assert "0.50 (0.50..0.50)" in text(results)
    results.rounds["with"].append(Round.of([Turn(1, error="status 503")], 0, 0, []))
    assert results.failed


async def test_each_turn_is_asked_with_all_that_was_said_before() -> None:
    async with serving("demo=scripted:?tokens=4", cache="off") as served:
        mix = Mix(conversations=3, turns=3, think_s=0.01)
        turns = await talk(Address.of(served.url), "demo", mix.of_round(1), mix.answer_tokens)
    assert [turn.error for turn in turns] == [None] * 9
    assert all(turn.first for turn in turns)
    lengths = [turn.prompt_tokens for turn in turns]
    assert lengths[0] < lengths[1] < lengths[2]


async def test_a_conversation_ends_with_its_first_error() -> None:
    async with serving("demo=scripted:") as served:
        [turn] = await talk(Address.of(served.url), "nobody", Mix(conversations=1, think_s=0.01).of_round(1), 8)
    assert turn.error == "status 404"
