"""HTTP/1.1 and server-sent events as they arrive, byte by byte. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class Frame(NamedTuple):
    """One server-sent event."""

    id: str
    event: str
    data: str


class Response:
    """One answer: `feed` it what arrives."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = False
        """Whether the answer is whole by its own measure."""
        self.body = b""
        """What is no stream of events."""
        self._rest = b""
        self._text = b""
        self._left: int | None = None
        self._chunk = 0
        """How much of a chunk is still to come."""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; the events that they complete."""
        if not self.status:
            self._rest += data
            head, found, data = self._rest.partition(b"\r\n\r\n")
            if not found:
                return []
            self._rest = b""
            self._begin(head.decode("latin-1"))
        data = self._chunks(data) if self._left is None else self._counted(data)
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            *events, self._text = (self._text + data).split(b"\n\n")
            return [frame for event in events if (frame := _frame(event.decode())) is not None]
        self.body += data
        return []

    def json(self) -> dict[str, Any]:
        """The body as JSON; empty if it is none."""
        try:
            said = json.loads(self.body)
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    @property
    def code(self) -> str:
        """The error that the body tells, or nothing."""
        error = self.json().get("error")
        return str(error.get("code", "")) if isinstance(error, dict) else ""

    def _begin(self, head: str) -> None:
        status, *lines = head.split("\r\n")
        self.status = int(status.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            self._left = 0 if self.status == 204 else int(self.headers.get("content-length", 0))
            self.ended = self._left == 0

    def _counted(self, data: bytes) -> bytes:
        assert self._left is not None
        self._left -= len(data)
        self.ended = self._left <= 0
        return data

    def _chunks(self, data: bytes) -> bytes:
        """The payload of chunks, as far as it has come (RFC 9112, 7.1)."""
        data, payload = self._rest + data, b""
        while data and not self.ended:
            if self._chunk:
                payload += data[: self._chunk]
                self._chunk, data = self._chunk - len(data[: self._chunk]), data[self._chunk :]
                continue
            # A chunk's size, behind the line break that ends the one before.
            end = data.find(b"\r\n", 2 if data.startswith(b"\r\n") else 0)
            if end < 0:
                break
            self._chunk = int(data[:end].strip().partition(b";")[0], 16)
            self.ended = self._chunk == 0
            data = data[end + 2 :]
        self._rest = data
        return payload


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request, the only one on its connection."""
    fields = {"host": "127.0.0.1", "connection": "close", **headers}
    if body:
        fields |= {"content-type": "application/json", "content-length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _frame(event: str) -> Frame | None:
    """One event; None for what holds only comments and `retry`."""
    fields = {"id": "", "event": "", "data": ""}
    for line in event.split("\n"):
        name, _, value = line.partition(": ")
        if name in fields:
            fields[name] = value
    return Frame(**fields) if fields["data"] else None
