"""Ratios are of turns that followed each other."""

from __future__ import annotations

import math

from loadtest.rounds import Rounds, spread


def test_a_ratio_is_of_two_turns_of_one_round() -> None:
    rounds: Rounds[float] = Rounds(["ours", "theirs"])
    for ours, theirs in ((10.0, 1.0), (10.0, 2.0), (10.0, 10.0)):
        rounds.note("ours", ours)
        rounds.note("theirs", theirs)
    assert rounds.ratios("ours", "theirs", lambda turn: turn) == [10, 5, 1]
    assert rounds.median("theirs", lambda turn: turn) == 2
    assert len(rounds.all()) == 6


def test_a_ratio_to_nothing_is_none() -> None:
    rounds: Rounds[float] = Rounds(["ours", "theirs"])
    rounds.note("ours", 1.0)
    rounds.note("theirs", 0.0)
    assert math.isnan(rounds.ratios("ours", "theirs", lambda turn: turn)[0])


def test_a_spread_is_the_median_and_both_ends() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2 (1..3)"
