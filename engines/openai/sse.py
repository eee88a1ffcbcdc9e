"""Server-sent events as upstreams write them: bytes in, the data of each event out."""

from __future__ import annotations

from typing import Final

from engines.errors import EngineError

_LONGEST: Final = 4 << 20
"""Bytes of one event: log probabilities of a whole prompt fit, and nobody fills the memory."""


class Events:
    """One response's events. Comments, names and ids of events are of no use here, and are dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The data of every event that is whole now. Raises EngineError `engine_failed` on one without end."""
        data = self._rest + data
        if b"\r" in data:
            # What ends with CR may go on with LF, and both are one end of a line.
            held = data[-1:] if data.endswith(b"\r") else b""
            data = data[: len(data) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        *events, self._rest = data.split(b"\n\n")
        if len(self._rest) > _LONGEST:
            raise EngineError("engine_failed", f"The upstream sent an event of more than {_LONGEST} bytes.")
        return [told for event in events if (told := _data(event))]

    def end(self) -> list[bytes]:
        """The data of a last event that no blank line follows: some servers leave that out."""
        rest, self._rest = self._rest.removesuffix(b"\r"), b""
        return [told] if (told := _data(rest)) else []


def _data(event: bytes) -> bytes:
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)
