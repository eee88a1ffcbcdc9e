"""Events on their way into a store and out of it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engines.base import Extra, TokenLogprob
from gateway.events import Delta, Event, Progress, decode, encode, is_terminal, weight
from tests.gateway.log.contract import CANCELED, FAILED, FINISHED, SAID

letters = st.text(st.characters(exclude_categories=["Cs"]))
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | letters,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3),
    max_leaves=8,
)
deltas = st.builds(
    Delta,
    st.integers(0, 100),
    letters,
    st.lists(st.integers(0, 2**31)).map(tuple),
    st.sampled_from(["stop", "length", "tool_calls", "content_filter", None]),
    st.none() | letters | st.integers(0, 2**31),
    letters,
    st.lists(st.dictionaries(letters, json, max_size=2), max_size=2).map(tuple),
    st.lists(st.builds(TokenLogprob, letters, st.floats(allow_nan=False)), max_size=2).map(tuple),
    st.none() | st.builds(Extra, *[st.dictionaries(letters, json, max_size=2)] * 3),
)


@pytest.mark.parametrize("event", [*SAID, FINISHED, FAILED, CANCELED], ids=lambda event: type(event).__name__)
def test_every_kind_of_event_is_read_as_it_was_written(event: Event) -> None:
    assert decode(encode(event)) == event
    assert is_terminal(event) == (event in (FINISHED, FAILED, CANCELED))


def test_what_an_older_server_wrote_of_a_boot_is_read() -> None:
    assert decode(msgspec.msgpack.encode(["progress", "booting", "loading"])) == Progress("booting", "loading")


@given(deltas)
def test_any_delta_is_read_as_it_was_written(delta: Delta) -> None:
    assert decode(encode(delta)) == delta


@given(deltas)
def test_an_event_weighs_no_less_than_what_it_says(delta: Delta) -> None:
    assert weight(delta) >= len(delta.text) + len(delta.reasoning)


@given(st.binary())
@example(b"\x91\xa1\x80")
def test_anything_else_is_refused_as_such(data: bytes) -> None:
    try:
        event = decode(data)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return
    assert decode(encode(event)) == event
