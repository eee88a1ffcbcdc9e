"""Tables say what the figures are."""

from __future__ import annotations

import pytest

from loadtest.figures import Figures, Load
from loadtest.record import Record
from loadtest.report import HEAD, cells, percentile, table


@pytest.mark.parametrize(("part", "value"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_percentiles_are_by_nearest_rank(part: float, value: float) -> None:
    """A percentile is a value that was measured."""
    assert percentile([*range(100, 0, -1)], part) == value


def test_a_run_without_answers_is_still_a_row() -> None:
    """With as many cells as its head."""
    assert len(cells(Figures.of(Record(), seconds=1, load=Load([0], 0)))) == len(HEAD)


def test_a_table_lines_up() -> None:
    """It reads as Markdown and as it is."""
    assert table(["a", "long"], [["1", "2"], ["333", "4"]]).splitlines() == [
        "| a   | long |",
        "| --- | ---- |",
        "| 1   | 2    |",
        "| 333 | 4    |",
    ]
