"""Server-sent events, bytes in and frames out (WHATWG HTML, section 9.2.6). No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Frame:
    """One dispatched event; `id` is the last one seen, which the specification lets persist."""

    event: str
    data: str
    id: str


class Decoder:
    """Feed it bytes, split wherever the network likes; it returns the frames that became complete."""

    def __init__(self) -> None:
        self.retry: int | None = None
        self._id = ""
        self._event = ""
        self._data: list[str] = []
        self._rest = b""
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that `chunk` completes."""
        *lines, self._rest = _LINE_END.split(self._rest + self._without_half_line_end(chunk))
        return [frame for line in lines if (frame := self._line(line)) is not None]

    def _without_half_line_end(self, chunk: bytes) -> bytes:
        """A CR ends its line at once; the LF of a CRLF that was split in two must not end another."""
        if not chunk:
            return chunk
        half = self._after_cr and chunk.startswith(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        return chunk[1:] if half else chunk

    def _line(self, raw: bytes) -> Frame | None:
        line = raw.decode("utf-8", "replace")
        if self._at_start:
            self._at_start = False
            line = line.removeprefix("\ufeff")
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value)
        return None

    def _dispatch(self) -> Frame | None:
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        return Frame(event, "\n".join(data), self._id) if data else None
