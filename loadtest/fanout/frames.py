"""What a read of a native event stream brought, seen from its bytes alone. No I/O."""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

_FRAME: Final = re.compile(rb'\nevent: (\w+)\ndata: \{"o":(\d+),"n":(\d+)')
_CUT: Final = b"event: cut\n"
_STAMP: Final = re.compile(rb'"d":" ?(\d+\.\d+)')


class Piece(NamedTuple):
    """The frames that are whole; `rest` begins the next one.

    They hold the events from offset `first` to the one before `next`, each once and in order, unless there is a fault.
    """

    frames: int
    first: int
    next: int
    stamp: float
    """The time that the first text names, which is the oldest; NaN where it names none."""
    ended: bool
    fault: str | None
    opened: bool
    """Whether the server said anything that is whole, if only a comment."""
    rest: bytes


def piece(data: bytes) -> Piece:
    """Take one read, with what the one before left."""
    whole, found, rest = data.rpartition(b"\n\n")
    first = next = -1
    frames, kind, fault = 0, b"", "cut" if _CUT in whole else None
    for frame in _FRAME.finditer(whole):
        kind, offset = frame[1], int(frame[2])
        if frames and offset != next:
            fault = "lost" if offset > next else "doubled"
        first = first if frames else offset
        next = offset + int(frame[3])
        frames += 1
    stamp = float(told[1]) if (told := _STAMP.search(whole)) else math.nan
    # What ends a chunk says nothing; most reads end with it, and are whole.
    return Piece(frames, first, next, stamp, kind == b"end", fault, bool(found), rest if rest.strip() else b"")
