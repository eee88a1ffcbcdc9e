"""A generation over /v1/ws, on a socket of its own. No I/O."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from loadtest.address import Address
from loadtest.plan import UNHARMED, Harm
from loadtest.stream import Answer
from loadtest.surfaces import frames
from loadtest.surfaces.base import Talk

_PATH: Final = "/v1/ws"
_LANE: Final = "a"
_EVENT: Final = re.compile(rb'\{"id":"a","t":"(\w+)","o":(\d+),"n":(\d+)')


class Socket(Talk):
    """Begins a generation on a lane. To leave is to say `cancel` and hear of the end; after a cut it attaches again."""

    def __init__(self, address: Address, asked: dict[str, Any], harm: Harm = UNHARMED) -> None:
        super().__init__(harm)
        self._address = address
        self._asked = asked
        self._resumable = harm.cut_after is not None
        self._head: Answer | None = None
        self._frames = frames.Frames()
        self._generation = self._epoch = ""
        self._offset = -1
        self._canceled = False
        self._over = False

    def question(self) -> bytes | None:
        if self._over or self.outcome.error or self.outcome.left:
            return None
        self._head, self._frames, self.ended = Answer(), frames.Frames(), False
        return frames.handshake(self._address, _PATH)

    def feed(self, data: bytes, now: float) -> bytes:
        if self._head is not None:
            rest = self._head.upgraded(data)
            if rest is None:
                return b""
            self._head = None
            return frames.frame(self._opening()) + self._take(rest, now)
        return self._take(data, now)

    def lost(self, abruptly: bool) -> None:
        self.ended = True
        if not self._over and self.outcome.error is None:
            self.outcome.error = self._head.failure(abruptly) if self._head else "cut_off"

    def cut(self) -> None:
        self.outcome.cuts += 1
        if not self._generation:
            self.outcome.left = "cut"

    def _opening(self) -> bytes:
        if not self._generation:
            asked = {"t": "create", "id": _LANE, "request": self._asked, "resumable": self._resumable}
            return json.dumps(asked).encode()
        attach: dict[str, Any] = {"t": "attach", "id": _LANE, "generation": self._generation}
        if self._offset >= 0:
            attach["after"] = f"{self._epoch}-{self._offset}"
        return json.dumps(attach).encode()

    def _take(self, data: bytes, now: float) -> bytes:
        deltas, answer = 0, b""
        for kind, payload in self._frames.feed(data):
            if kind == frames.TEXT:
                deltas += self._is_delta(payload)
            elif kind == frames.PING:
                answer += frames.frame(payload, frames.PONG)
            elif kind == frames.CLOSE:
                self._close(payload)
        if self._over:
            answer += frames.frame(b"\x03\xe8", frames.CLOSE)
        if deltas and self.said(deltas, now) and not (self._canceled or self._over):
            self._canceled = True
            answer += frames.frame(b'{"t":"cancel","id":"a"}')
        return answer

    def _is_delta(self, message: bytes) -> bool:
        event = _EVENT.match(message)
        if event is None:
            self._note(json.loads(message))
            return False
        kind, first, events = event.groups()
        if int(first) != self._offset + 1:
            self.outcome.error = "lost" if int(first) > self._offset + 1 else "doubled"
        self._offset = int(first) + int(events) - 1
        if kind == b"end":
            self._end(json.loads(message))
        return kind == b"delta"

    def _note(self, told: dict[str, Any]) -> None:
        """Take what is not of the log."""
        if told["t"] == "attached":
            self._generation, self._epoch = told["generation"], told["epoch"]
        elif told["t"] == "epoch":
            self._epoch = told["epoch"]
        elif told["t"] == "error":
            self.outcome.error, self.ended = str(told["code"]), True

    def _end(self, told: dict[str, Any]) -> None:
        self._over = self.ended = True
        self.outcome.tokens = (told.get("usage") or {}).get("completion_tokens") or 0
        if told["state"] == "canceled" and self._canceled:
            self.outcome.left = "canceled"
        elif told["state"] != "finished":
            self.outcome.error = str((told.get("error") or {}).get("code") or told["state"])

    def _close(self, payload: bytes) -> None:
        self.ended = True
        if not self._over and self.outcome.error is None:
            self.outcome.error = f"closed {int.from_bytes(payload[:2], 'big') if payload else 1005}"
