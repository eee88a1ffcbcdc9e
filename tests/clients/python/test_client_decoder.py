"""Server-sent events, however the network cuts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from fake_hearth import FakeHearth, Plan
from hearth_client.sse import Decoder, Frame
from hypothesis import given
from hypothesis import strategies as st

BODY = FakeHearth().sse(None, Plan(end="cut"))
WHOLE = Decoder().feed(BODY)
LINE_ENDS = {"lf": b"\n", "cr": b"\r", "crlf": b"\r\n"}


@pytest.mark.parametrize("end", LINE_ENDS.values(), ids=LINE_ENDS.keys())
def test_a_body_split_at_every_byte_gives_the_same_frames(end: bytes) -> None:
    """Neither UTF-8, nor a CRLF, nor a field name may depend on where a chunk ends."""
    body = BODY.replace(b"\n", end)
    for at in range(len(body) + 1):
        decoder = Decoder()
        assert [*decoder.feed(body[:at]), *decoder.feed(body[at:])] == WHOLE


@given(st.lists(st.integers(0, len(BODY)), max_size=30))
def test_any_chunks_give_the_same_frames(cuts: list[int]) -> None:
    """So do any number of chunks, empty ones among them."""
    edges = [0, *sorted(cuts), len(BODY)]
    decoder = Decoder()
    frames = [frame for start, end in pairwise(edges) for frame in decoder.feed(BODY[start:end])]

    assert frames == WHOLE


def test_one_byte_at_a_time_gives_the_same_frames() -> None:
    """The smallest chunks of all."""
    decoder = Decoder()

    assert [frame for byte in BODY for frame in decoder.feed(bytes([byte]))] == WHOLE


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("data: a\ndata:b\n\n", [Frame("message", "a\nb", "")]),
        ("\ufeffdata: a\n\n", [Frame("message", "a", "")]),
        ("data:  a\n\n", [Frame("message", " a", "")]),
        ("event: x\n\ndata: a\n\n", [Frame("message", "a", "")]),
        ("id: 7\n\ndata: a\n\n", [Frame("message", "a", "7")]),
        ("id: 7\ndata: a\n\nid: 8\0\ndata: b\n\n", [Frame("message", "a", "7"), Frame("message", "b", "7")]),
        ("data: unfinished\n", []),
        (": comment\n\n", []),
        ("data\n\n", [Frame("message", "", "")]),
        ("what: ever\n\n", []),
    ],
)
def test_the_specification_s_corners(text: str, frames: list[Frame]) -> None:
    """WHATWG HTML, 9.2.6: interpreting an event stream."""
    assert Decoder().feed(text.encode()) == frames


@pytest.mark.parametrize(("value", "retry"), [("1712", 1712), ("soon", None), ("-1", None), ("", None), ("१", None)])
def test_retry_is_digits_or_nothing(value: str, retry: int | None) -> None:
    """A `retry:` that is no number is ignored."""
    decoder = Decoder()
    decoder.feed(f"retry: {value}\n\n".encode())

    assert decoder.retry == retry
