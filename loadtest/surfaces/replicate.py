"""A prediction in Replicate's form: created, then read from its stream. No I/O."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import quote, urlsplit

from loadtest.address import Address
from loadtest.plan import UNHARMED, Harm
from loadtest.stream import Answer
from loadtest.surfaces.base import EVENT_STREAM, Talk

_EVENT: Final = re.compile(rb"event: (\w+)\nid: (\S+-(\d+)\S*)\ndata: (.*)")
_SUCCEEDED: Final = b"{}"


class Prediction(Talk):
    """Begun on one connection and read on the next. To leave is to cancel it; after a cut it is read on."""

    def __init__(self, address: Address, model: str, inputs: dict[str, Any], harm: Harm = UNHARMED) -> None:
        super().__init__(harm)
        self._address = address
        owner, _, name = model.rpartition("/")
        self._begin = f"/replicate/v1/models/{quote(owner or 'hearth')}/{quote(name)}/predictions"
        self._body = json.dumps({"stream": True, "input": inputs}).encode()
        self._answer = Answer()
        self._urls: dict[str, str] = {}
        self._position = b""
        self._offset = -1
        self._over = False
        self._leaves = False

    def question(self) -> bytes | None:
        if self._over or self.outcome.error or self.outcome.left:
            return None
        self._answer, self.ended = Answer(), False
        if self._leaves:
            return self._address.request("POST", self._path("cancel"))
        if not self._urls:
            return self._address.request("POST", self._begin, self._body)
        after = f"last-event-id: {self._position.decode()}\r\n" if self._position else ""
        return self._address.request("GET", self._path("stream"), headers=EVENT_STREAM + after)

    def feed(self, data: bytes, now: float) -> bytes:
        outputs = sum(map(self._is_output, self._answer.feed(data)))
        if outputs and self.said(outputs, now):
            self._leaves = self.ended = True
        self.ended = self.ended or self._over
        if self._answer.ended:
            self._end(lost=False)
        return b""

    def lost(self, abruptly: bool) -> None:
        self._end(abruptly)

    def cut(self) -> None:
        self.outcome.cuts += 1
        if not self._urls:
            self.outcome.left = "cut"

    def _end(self, lost: bool) -> None:
        self.ended = True
        if self._over or self.outcome.error:
            return
        if not self._urls and self._answer.status == 201:
            self._urls = json.loads(self._answer.plain)["urls"]
        elif self._leaves and self._answer.status == 200:
            self.outcome.left = "canceled"
        else:
            self.outcome.error = self._answer.failure(lost)

    def _path(self, name: str) -> str:
        # Its host is passed over: a load goes to this machine, whatever a server says.
        return urlsplit(self._urls[name]).path

    def _is_output(self, event: bytes) -> bool:
        found = _EVENT.match(event)
        if found is None:
            return False
        kind, self._position, offset, data = found.groups()
        if int(offset) < self._offset:
            self.outcome.error = "doubled"
        self._offset = int(offset)
        if kind == b"error":
            self.outcome.error = "error_in_stream"
        elif kind == b"done":
            self._over = True
            if data != _SUCCEEDED and self.outcome.error is None:
                self.outcome.error = str(json.loads(data)["reason"])
        return kind == b"output"
