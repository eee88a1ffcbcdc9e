"""In which order those who wait are served."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.line import Line


def serve(line: Line, *joined: str) -> list[str]:
    """All of the line, one after the other; who waits is called by its key and a number, as in `ann1`."""
    for holder in joined:
        line.join(holder, holder[:3])
    served = []
    while line:
        holder = line.order()[0]
        line.leave(holder)
        line.note_turn(holder[:3])
        served.append(holder)
    return served


def test_keys_take_turns_and_one_keys_own_are_served_as_they_came() -> None:
    assert serve(Line(), "ann1", "ann2", "ann3", "bob1", "cid1", "bob2") == "ann1 bob1 cid1 ann2 bob2 ann3".split()


def test_a_single_one_is_next_however_many_another_key_has_in_the_line() -> None:
    line = Line()
    line.note_turn("ann")
    for index in range(100):
        line.join(f"ann{index}", "ann")
    line.join("bob0", "bob")
    assert line.order()[:2] == ["bob0", "ann0"]


def test_who_comes_back_all_the_time_is_not_before_who_waits() -> None:
    line = Line()
    for key in ("ann", "bob", "cid"):
        line.join(f"{key}0", key)
    served = []
    for turn in range(1, 10):
        holder = line.order()[0]
        line.leave(holder)
        line.note_turn(holder[:3])
        line.join(f"{holder[:3]}{turn}", holder[:3])
        served.append(holder[:3])
    assert served == ["ann", "bob", "cid"] * 3


@given(st.lists(st.sampled_from(["ann", "bob", "cid", "dan"]), max_size=30), st.lists(st.sampled_from(["ann", "bob"])))
def test_the_order_that_is_told_is_the_one_that_comes(keys: list[str], before: list[str]) -> None:
    line = Line()
    for key in before:
        line.note_turn(key)
    for index, key in enumerate(keys):
        line.join(f"{key}{index}", key)
    told = line.order()
    assert serve(line) == told and len(told) == len(keys)


def test_the_newest_of_the_key_that_has_most_makes_room_for_one_that_has_fewer() -> None:
    line = Line()
    assert line.makes_room("bob") is None
    for holder in ("ann0", "ann1", "bob0", "ann2", "bob1"):
        line.join(holder, holder[:3])
    assert line.makes_room("cid") == "ann2"
    assert line.makes_room("cid", kept={"ann2"}) == "ann1"
    assert line.makes_room("cid", kept={"ann1", "ann2"}) == "bob1"
    # It would only have to make room for the other in turn.
    assert line.makes_room("bob") is None
    assert line.makes_room("ann") is None


def test_turns_of_long_ago_are_forgotten() -> None:
    line = Line()
    for index in range(5000):
        line.note_turn(f"k{index}")
    assert len(line._served) == 1000
