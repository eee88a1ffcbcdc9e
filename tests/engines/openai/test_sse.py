"""Server-sent events, however their bytes are cut."""

from __future__ import annotations

import pytest

from engines.errors import EngineError
from engines.openai.sse import Events

TEXT = "data: {“é🦊”}\n\n: a comment\n\nevent: x\nid: 7\ndata:second\n\ndata: two\ndata: lines\n\n"
DATA = ["{“é🦊”}", "second", "two\nlines"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_wherever_their_bytes_are_cut(end: str, size: int) -> None:
    events, data = Events(), TEXT.replace("\n", end).encode()
    found = [told for start in range(0, len(data), size) for told in events.feed(data[start : start + size])]
    assert [told.decode() for told in found + events.end()] == DATA


def test_a_last_event_without_a_blank_line_counts() -> None:
    events = Events()
    assert events.feed(b"data: one\n\ndata: two") == [b"one"]
    assert events.end() == [b"two"]
    assert events.end() == []


def test_an_event_without_end_is_refused() -> None:
    events = Events()
    with pytest.raises(EngineError) as refused:
        for _ in range(100):
            events.feed(b"x" * 65536)
    assert refused.value.code == "engine_failed"
