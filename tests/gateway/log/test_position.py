"""Positions as clients write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import HearthError
from gateway.log.base import Position, new_epoch


@given(st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True), st.integers(0, 10**15 - 1))
def test_a_position_reads_back_as_it_was_written(epoch: str, offset: int) -> None:
    assert Position.parse(str(Position(epoch, offset))) == (epoch, offset)


OTHERS = """
- a- -1 a--1 a-01 A-1 a_b-1 a-1-2 a-+1 a-1.0 a:1 null a-\u0661 \u00e4-1 aaaaaaaaaaaaaaaaa-1 a-9999999999999999
"""


@pytest.mark.parametrize("written", ["", "a-1 ", " a-1", "a-1\n", "a-1\x00", *OTHERS.split()])
def test_anything_else_is_a_bad_position(written: str) -> None:
    with pytest.raises(HearthError, match="bad_position"):
        Position.parse(written)


@given(st.text())
def test_no_text_whatever_breaks_the_parser(written: str) -> None:
    try:
        assert str(Position.parse(written)) == written
    except HearthError as error:
        assert error.code == "bad_position"


def test_epochs_are_short_plain_and_never_the_same() -> None:
    epochs = {new_epoch() for _ in range(1000)}
    assert len(epochs) == 1000
    assert all(Position.parse(f"{epoch}-0").epoch == epoch for epoch in epochs)
