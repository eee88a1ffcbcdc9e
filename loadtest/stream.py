"""Reading HTTP as cheaply as Python can. No I/O.

The load generator shares its cores with the server: only what is measured is looked at, and no token's JSON is parsed.
"""

from __future__ import annotations

import json
import re
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)")


class Answer:
    """An HTTP/1.1 answer to a request that asked for `connection: close`."""

    def __init__(self) -> None:
        self.status = 0
        self.ended = False
        self.plain = b""
        """The body, where it is no stream of events."""
        self._chunked = False
        self._left: int | None = None
        self._rest = b""
        self._text = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the events that `data` completes, each as it was sent, without its blank line."""
        if not self.status:
            rest = self._begun(data)
            if rest is None:
                return []
            data = rest
        if self._chunked:
            data = self._joined(data)
        elif self._left is not None:
            self._left -= len(data)
            self.ended = self._left <= 0
        if self.status != 200:
            self.plain += data
            return []
        data = self._text + data
        if 0 <= data.find(b"\n\n") == len(data) - 2:
            # Most reads are one event, whole.
            self._text = b""
            return [data[:-2]]
        *events, self._text = data.split(b"\n\n")
        return events

    def upgraded(self, data: bytes) -> bytes | None:
        """Return what follows the head of a connection that is now of another protocol; None until it is."""
        rest = self._begun(data) if not self.status else data
        if rest is None or self.status == 101:
            return rest
        self.plain += rest
        return None

    def failure(self, lost: bool) -> str:
        """Return the name of what went wrong: the server's own code, if it gave one."""
        if not self.status:
            return "connection_lost" if lost else "no_answer"
        if self.status < 300:
            return "cut_off"
        try:
            return f"{self.status} {json.loads(self.plain)['error']['code']}"
        except (ValueError, KeyError, TypeError):
            return str(self.status)

    def _begun(self, data: bytes) -> bytes | None:
        """Read the head, and return what follows it; None until it is whole."""
        self._rest += data
        head, found, rest = self._rest.partition(b"\r\n\r\n")
        if not found:
            return None
        self._rest = b""
        self.status = int(head[9:12])
        head = head.lower()
        self._chunked = b"transfer-encoding: chunked" in head
        self._left = int(length[1]) if (length := _LENGTH.search(head)) else None
        return rest

    def _joined(self, data: bytes) -> bytes:
        """Return the payload of the chunks that are whole."""
        data = self._rest + data
        end = data.find(b"\r\n")
        if data[:end].isalnum() and len(data) == end + 4 + int(data[:end], 16) > end + 4:
            # Most reads are one chunk, whole.
            self._rest = b""
            return data[end + 2 : -2]
        start, payload = 0, []
        while (end := data.find(b"\r\n", start)) >= 0:
            size = int(data[start:end].partition(b";")[0], 16)
            stop = end + 2 + size
            if len(data) < stop + 2:
                break
            self.ended = self.ended or size == 0
            payload.append(data[end + 2 : stop])
            start = stop + 2
        self._rest = data[start:]
        return b"".join(payload)
