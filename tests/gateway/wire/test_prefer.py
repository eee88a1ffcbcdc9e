"""`Prefer`, as RFC 7240 has it: what makes no sense is as if it were not there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import HearthError
from gateway.wire.prefer import PATIENT, Patience, of_frame, wait_s


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (["wait=10"], 10),
        (["wait=0"], 0),
        (["WAIT = 10"], 10),
        (['wait="10"'], 10),
        (["respond-async, wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (["wait=10; soft=1"], 10),
        (["wait=10, wait=20"], 10),
        (['note="a, wait=5", wait=7'], 7),
        ([], None),
        ([""], None),
        (["wait"], None),
        (["wait="], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=soon"], None),
        (["wait=soon, wait=20"], None),
        (["wait=٣"], None),
        (["wait=" + "9" * 5000], None),
        (["waiting=10"], None),
    ],
)
def test_the_first_wait_counts_if_it_is_in_whole_seconds(sent: list[str], seconds: int | None) -> None:
    assert wait_s(sent) == seconds


@given(st.lists(st.text(max_size=40), max_size=3))
def test_no_header_breaks_anything(sent: list[str]) -> None:
    seconds = wait_s(sent)
    assert seconds is None or seconds >= 0


def test_what_was_heeded_is_said() -> None:
    assert Patience(10).applied == {"preference-applied": "wait=10"}
    assert PATIENT.applied == {}


def test_a_frame_says_it_in_fields() -> None:
    assert of_frame({}) == PATIENT
    assert of_frame({"wait_s": None, "fallback": None}) == PATIENT
    assert of_frame({"wait_s": 5, "fallback": False}) == Patience(5, fallback=False)


@pytest.mark.parametrize(("field", "value"), [("wait_s", "5"), ("wait_s", -1), ("wait_s", 1.5), ("fallback", "no")])
def test_a_frames_field_that_makes_no_sense_is_named(field: str, value: Any) -> None:
    with pytest.raises(HearthError) as refused:
        of_frame({field: value})
    assert (refused.value.code, refused.value.parameter) == ("invalid_request", field)
