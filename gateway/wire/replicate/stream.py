"""A prediction's stream: server-sent events as Replicate's clients read them.

Of every event each client needs an id and at least one line of data. An id is a position of the log, epoch-offset,
and where the next event is told in two frames, after the first of them: `k3f9a2xq-17.1`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engines.base import JSON, Output
from gateway.errors import HearthError
from gateway.events import Canceled, Event, Failed, Finished, Progress
from gateway.log.base import Position, check
from gateway.log.local import Log
from gateway.wire.replicate.outputs import AddressOf, form, outcome, outputs, placed, printed

_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_HTTPX_LINE_ENDS: Final = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
"""Where httpx ends a line as well; what follows one of these in a line of data would be lost."""
_REASONS: Final = {"canceled": {"reason": "canceled"}, "aborted": {"reason": "canceled"}, "failed": {"reason": "error"}}


def resume(last_event_id: str) -> tuple[Position, int]:
    """The position in the log that an id stands for, and how many frames of the event behind it were told.

    Raises HearthError `bad_position`.
    """
    position, dot, told = last_event_id.partition(".")
    if dot and told != "1":
        raise HearthError("bad_position")
    return Position.parse(position), int(told or 0)


class Stream:
    """One reader's stream of a log, from its beginning or from behind the id that the reader came with (`after`).

    `document` is the OpenAPI document of the version. With `exact`, text arrives as it is; without, every end of a
    line that Unicode knows as a plain one. Raises HearthError `bad_position`, and as `gateway.log.base.check`.
    """

    def __init__(
        self,
        log: Log,
        address_of: AddressOf,
        *,
        after: str | None = None,
        exact: bool = True,
        document: Mapping[str, Any] | None = None,
    ) -> None:
        position, told = resume(after) if after else (None, 0)
        self.first = check(log, position)
        """The offset of the event that it begins with."""
        self._told_of_first = told
        self._log = log
        self._form = form(log.generation.prompt, document or {})
        self._address_of = address_of
        self._line_ends = _LINE_ENDS if exact else _HTTPX_LINE_ENDS
        self._last = max(log.first, self.first - 1)

    def frames(self, start: int, stop: int) -> bytes:
        """The events with start <= offset < stop; empty when nothing of them is for this surface."""
        self._last = stop - 1
        said = [self._said(offset, event) for offset, event in enumerate(self._log.between(start, stop), start)]
        return "".join(said).encode()

    def broken(self, sentence: str) -> bytes:
        """Say that the connection ends before the prediction does. Its id leads to what was not said."""
        return self._frame("error", f"{self._log.epoch}-{self._last}", _json({"detail": sentence})).encode()

    def _said(self, offset: int, event: Event) -> str:
        if isinstance(event, Progress):
            return _comment(event)
        told = list(self._told(event))
        epoch, skip = self._log.epoch, self._told_of_first if offset == self.first else 0
        return "".join(
            self._frame(name, f"{epoch}-{offset}" if number == len(told) else f"{epoch}-{offset - 1}.{number}", data)
            for number, (name, data) in enumerate(told, 1)
            if number > skip
        )

    def _frame(self, name: str, id: str, data: str) -> str:
        lines = "\ndata: ".join(self._line_ends.split(data))
        return f"event: {name}\nid: {id}\ndata: {lines}\n\n"

    def _told(self, event: Event) -> Iterator[tuple[str, str]]:
        """The frames of one event: a name and data each."""
        for output in outputs(event, self._form):
            if isinstance(event, Output):
                output = placed(output, event.files, self._address_of)
            yield "output", output if isinstance(output, str) else _json(output)
        if text := printed(event):
            yield "logs", text
        if isinstance(event, Finished | Failed | Canceled):
            status, error = outcome(event)
            if error is not None:
                yield "error", _json({"detail": error})
            yield "done", _json(_REASONS.get(status, {}))


def _json(value: JSON) -> str:
    """As JSON, in which no letter ends a line."""
    return json.dumps(value, separators=(",", ":"))


def _comment(waiting: Progress) -> str:
    """What is waited for, in a line that every client passes over."""
    return f": {waiting.stage}: {' '.join(waiting.message.split())}\n\n"
