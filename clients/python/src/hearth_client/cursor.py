"""Where a reader stands in a log. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hearth_client.errors import HearthError
from hearth_client.events import End, Event, decode

_POSITION = re.compile(r"([a-z0-9-]+)-(0|[1-9][0-9]*)", re.ASCII)


def parse(position: str) -> tuple[str, int]:
    """Return the epoch and the offset that a position names."""
    found = _POSITION.fullmatch(position)
    if found is None:
        raise HearthError("bad_position", f"{position!r} is not epoch-offset")
    return found[1], int(found[2])


class Cursor:
    """The last event seen, and the rule that each event is taken once and none is skipped."""

    def __init__(self, after: str | None = None) -> None:
        self.done = False
        self._epoch: str | None = None
        self._next = 0
        if after is not None:
            self._epoch, offset = parse(after)
            self._next = offset + 1

    @property
    def position(self) -> str | None:
        """The position to go on from; None before the first event."""
        return f"{self._epoch}-{self._next - 1}" if self._next else None

    def take(self, epoch: str, name: str, data: Mapping[str, Any]) -> Event | None:
        """Return the event, or None for one taken before."""
        try:
            first, after = data["o"], data["o"] + data["n"]
            event = decode(name, data, f"{epoch}-{after - 1}")
        except (KeyError, TypeError) as error:
            raise HearthError("bad_frame", f"a {name} event without its {error}") from error
        # What goes on exactly where we stand may do so under a new epoch: the server knows our position, and says in
        # this way that it is still good.
        if self._epoch not in (None, epoch) and first != self._next:
            raise HearthError("epoch_mismatch", f"the log began anew in epoch {epoch}", epoch=epoch)
        if after <= self._next:
            return None
        if first != self._next:
            # A folded frame cannot be cut at one of its events, so an overlap is as unusable as a gap.
            raise HearthError("discontinuity", f"event {self._next} was due, {first} came", retry=True)
        self._epoch, self._next = epoch, after
        self.done = isinstance(event, End)
        return event
