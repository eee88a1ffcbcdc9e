"""Names and types that others wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.files.file import created, fresh_id, is_id, kind
from gateway.files.names import plain_name, plain_type


@pytest.mark.parametrize(
    ("written", "plain"),
    (
        ("a.png", "a.png"),
        ("ä ö.png", "ä ö.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\dir\\a.png", "a.png"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        ("/", "file"),
        (" \r\n\x00\u202e ", "file"),
        ("x\r\ny.txt", "xy.txt"),
        (".hidden", ".hidden"),
        ("n" * 300 + ".png", "n" * 251 + ".png"),
        ("ä" * 300 + ".png", "ä" * 125 + ".png"),
        ("n" * 300, "n" * 255),
    ),
)
def test_names_are_the_last_part_of_a_path_and_short(written: str, plain: str) -> None:
    assert plain_name(written) == plain


@given(st.text(max_size=400))
def test_no_name_is_more_than_a_name(written: str) -> None:
    name = plain_name(written)
    assert 0 < len(name.encode()) <= 255 and name.isprintable() and not set(name) & set("/\\")
    assert name not in (".", "..") and plain_name(name) == name


@pytest.mark.parametrize("good", ("image/png", "text/plain; charset=utf-8", 'a/b; c="d e"', "application/x-7z+zip"))
def test_types_stay(good: str) -> None:
    assert plain_type(good) == good


@pytest.mark.parametrize("bad", (None, "", "png", "a/b\r\nx: y", "a/b; c", "a/é", "a/" + "b" * 300, "a b/c", "a/b,c/d"))
def test_what_is_no_type_tells_nothing(bad: str | None) -> None:
    assert plain_type(bad) == "application/octet-stream"


@given(st.lists(st.integers(0, 1 << 44), min_size=2, max_size=20, unique=True))
def test_ids_are_in_order_of_time_newest_first(moments: list[int]) -> None:
    ids = {fresh_id("upload", moment / 1000): moment / 1000 for moment in moments}
    assert [ids[id] for id in sorted(ids)] == sorted(ids.values(), reverse=True)
    assert all(created(id) == moment and is_id(id) and kind(id) == "upload" for id, moment in ids.items())


def test_ids_tell_what_kind_of_file_they_are_of() -> None:
    assert kind(fresh_id("output", 1.0)) == "output"
    assert len({fresh_id("output", 1.0) for _ in range(1000)}) == 1000
