"""The states of a run."""

from __future__ import annotations

import itertools

import pytest

from gateway.generation import MOVES, IllegalMove, State, new_id
from tests.gateway.log.contract import a_generation


@pytest.mark.parametrize(("now", "to"), list(itertools.product(State, State)))
def test_a_run_moves_as_the_table_says_and_in_no_other_way(now: State, to: State) -> None:
    generation = a_generation()
    generation.state = now
    if to in MOVES[now]:
        generation.move(to)
        assert generation.state is to
    else:
        with pytest.raises(IllegalMove):
            generation.move(to)
        assert generation.state is now


def test_the_ends_are_final_and_every_other_state_can_reach_all_of_them() -> None:
    final = {state for state in State if state.is_final}
    assert final == {State.FINISHED, State.FAILED, State.CANCELED}
    for state in set(State) - final:
        reached, fresh = {state}, [state]
        while fresh:
            fresh = [to for to in MOVES[fresh.pop()] - reached] + fresh
            reached |= set(fresh)
        assert final <= reached


def test_names_are_plain_and_never_the_same() -> None:
    names = {new_id("gen") for _ in range(1000)}
    assert len(names) == 1000
    assert all(name.startswith("gen_") and name[4:].isalnum() and len(name) == 36 for name in names)
