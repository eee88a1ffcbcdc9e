"""What a program prints, in lines."""

from __future__ import annotations

import pytest

from engines.cog.logs import Lines


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        (["Using seed: 7\n", "\r  0%|", "\r 50%|", "\r100%|", "\n"], "Using seed: 7\n  0%|\n 50%|\n100%|\n"),
        (["\r  0%|", "\r 50%|"], "  0%|\n 50%|"),
        (["a\rb\r\rc"], "a\nb\nc"),
        (["a\r\nb\r\n"], "a\nb\n"),
        (["a", "b\n", "", "\rc"], "ab\nc"),
        (["plain\n", "lines\n"], "plain\nlines\n"),
    ],
    ids=["a bar after a line", "a bar at first", "in one piece", "as on Windows", "in pieces", "nothing to do"],
)
def test_what_is_written_over_in_a_terminal_is_a_line_of_its_own(printed: list[str], read: str) -> None:
    lines = Lines()
    assert "".join(map(lines.read, printed)) == read
