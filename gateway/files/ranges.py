"""Which part of a file an HTTP request asks for. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_RANGE: Final = re.compile(r"bytes\s*=\s*(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


class Span(NamedTuple):
    """Bytes from `start` to before `end`."""

    start: int
    end: int


class Unsatisfiable(Exception):
    """The file has nothing there."""


def span(written: str | None, size: int) -> Span | None:
    """The bytes that a `Range` header asks for; None for the whole file. Raises Unsatisfiable.

    Several ranges, and what is no range, are answered with the whole, as HTTP allows.
    """
    match = _RANGE.fullmatch(written.strip()) if written else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise Unsatisfiable
    return Span(start, end)
