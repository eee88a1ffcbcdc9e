"""One of many readers of a generation, over native server-sent events. No I/O."""

from __future__ import annotations

import json
import re
from typing import Final

from loadtest.address import Address
from loadtest.plan import UNHARMED, Harm
from loadtest.stream import Answer
from loadtest.surfaces.base import EVENT_STREAM, Talk

_FRAME: Final = re.compile(rb'id: (\S+-(\d+))\nevent: (\w+)\ndata: (\{"o":(\d+),.*)')
_SENT_AWAY: Final = b"event: cut\n"


class Watcher(Talk):
    """Reads a log from its first event to its last, whatever was said before it came. After a cut it goes on."""

    def __init__(self, address: Address, id: str, harm: Harm = UNHARMED) -> None:
        super().__init__(harm)
        self._address = address
        self._path = f"/v1/streams/{id}"
        self._answer = Answer()
        self._position = b""
        self._offset = -1
        self._over = False

    def question(self) -> bytes | None:
        if self._over or self.outcome.error or self.outcome.left:
            return None
        self._answer, self.ended = Answer(), False
        after = f"last-event-id: {self._position.decode()}\r\n" if self._position else ""
        return self._address.request("GET", self._path, headers=EVENT_STREAM + after)

    def feed(self, data: bytes, now: float) -> bytes:
        deltas = sum(map(self._is_delta, self._answer.feed(data)))
        if deltas and self.said(deltas, now):
            self.outcome.left, self.ended = "canceled", True
        self.ended = self.ended or self._over
        return b""

    def lost(self, abruptly: bool) -> None:
        self.ended = True
        if not self._over:
            self.outcome.error = self.outcome.error or self._answer.failure(abruptly)

    def cut(self) -> None:
        self.outcome.cuts += 1

    def _is_delta(self, event: bytes) -> bool:
        frame = _FRAME.match(event)
        if frame is None:
            if event.startswith(_SENT_AWAY):
                self.outcome.error = str(json.loads(event.partition(b"data: ")[2])["code"])
            return False
        self._position, last, kind, told, first = frame.groups()
        if int(first) != self._offset + 1:
            self.outcome.error = "lost" if int(first) > self._offset + 1 else "doubled"
        self._offset = int(last)
        if kind == b"end":
            self._end(told)
        return kind == b"delta"

    def _end(self, told: bytes) -> None:
        self._over = True
        end = json.loads(told)
        self.outcome.tokens = (end.get("usage") or {}).get("completion_tokens") or 0
        if end["state"] != "finished":
            self.outcome.error = str((end.get("error") or {}).get("code") or end["state"])
