"""Server-sent events, bytes in and events out (WHATWG HTML, section 9.2.6). No I/O."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_MOST_BYTES: Final = 8 << 20


class Event(NamedTuple):
    """One event: its name, and its data with `\\n` between the lines."""

    name: str
    data: str


class Decoder:
    """Feed it bytes, split wherever the network likes; it gives the events that became whole."""

    def __init__(self) -> None:
        self._name = ""
        self._data: list[str] = []
        self._bytes = 0
        self._rest = b""
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises ValueError at one that is larger than any output may be."""
        # A CR ends its line at once; the LF of a CRLF that was split in two must not end another.
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r") or (self._after_cr and not chunk)
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        if len(self._rest) + self._bytes > _MOST_BYTES:
            raise ValueError(f"An event holds more than {_MOST_BYTES} bytes.")
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if field == b"data":
            self._data.append(text)
            self._bytes += len(value)
        elif field == b"event":
            self._name = text
        return None

    def _dispatch(self) -> Event | None:
        name, data = self._name, self._data
        self._name, self._data, self._bytes = "", [], 0
        # Replicate's own clients take a `done` without data as one.
        return Event(name, "\n".join(data)) if data or name else None
