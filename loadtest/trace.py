"""A recorded trace: when requests came, and how long they and their answers were. No I/O.

A line is `seconds,prompt words,output tokens`. Empty lines and those that begin with # are passed over, and so is a
first line of names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from loadtest.arrivals import Recorded
from loadtest.lengths import MOST
from loadtest.workloads import Replayed


class TraceError(ValueError):
    """A trace that cannot be read."""


class Trace(NamedTuple):
    """Requests in the order in which they came; the first one's time is 0."""

    arrivals: Recorded
    work: Replayed


def parse(lines: Iterable[str], seed: int = 0) -> Trace:
    """Read a trace's lines. Raises TraceError."""
    rows: list[tuple[float, int, int]] = []
    for number, line in enumerate(lines, 1):
        if (row := _row(line, number)) is not None:
            rows.append(row)
    if not rows:
        raise TraceError("there is no request in the trace")
    rows.sort(key=lambda row: row[0])
    first = rows[0][0]
    return Trace(Recorded(tuple(at - first for at, _, _ in rows)), Replayed([row[1:] for row in rows], seed))


def _row(line: str, number: int) -> tuple[float, int, int] | None:
    line = line.strip()
    if not line or line.startswith("#") or (number == 1 and line[0].isalpha()):
        return None
    try:
        at, words, tokens = line.split(",")
        row = float(at), int(words), int(tokens)
    except ValueError:
        raise TraceError(f"line {number} is not `seconds,prompt words,output tokens`: {line!r}") from None
    if not (abs(row[0]) < float("inf") and 0 < row[1] <= MOST and 0 < row[2] <= MOST):
        raise TraceError(f"line {number} has no time, or a length that is not from 1 to {MOST}: {line!r}")
    return row
