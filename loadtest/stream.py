"""Reading a streamed OpenAI answer as cheaply as Python can. No I/O.

The load generator shares its cores with the server: only what is measured is looked at, and no token's JSON is parsed.
"""

from __future__ import annotations

import json
import re
from array import array
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(rb'"(?:content|reasoning|reasoning_content|text)": ?"(?!")|"tool_calls": ?\[\{')


@dataclass(slots=True)
class Outcome:
    """What one request came to; times are in seconds since it was due."""

    sent: float = 0.0
    """How late it was sent, which is the load generator's own doing."""
    first: float | None = None
    total: float = 0.0
    gaps: array[float] = field(default_factory=lambda: array("f"))
    events: int = 0
    bytes: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    error: str | None = None
    cuts: int = 0
    """How often its connection was cut on purpose."""
    left: str | None = None
    """What was done to it on purpose, where that was its end: `canceled` or `cut`."""


class Answer:
    """An HTTP/1.1 answer to a request that asked for `connection: close`."""

    def __init__(self) -> None:
        self.status = 0
        self.ended = False
        self.plain = b""
        self._chunked = False
        self._rest = b""
        self._text = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the events that `data` completes, each as it was sent, without its blank line."""
        if not self.status:
            self._rest += data
            head, found, data = self._rest.partition(b"\r\n\r\n")
            if not found:
                return []
            self._rest = b""
            self.status = int(head[9:12])
            self._chunked = b"transfer-encoding: chunked" in head.lower()
        if self._chunked:
            data = self._joined(data)
        if self.status != 200:
            self.plain += data
            return []
        *events, self._text = (self._text + data).split(b"\n\n")
        return events

    def _joined(self, data: bytes) -> bytes:
        """Return the payload of the chunks that are whole."""
        data = self._rest + data
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


class Meter:
    """Turns the bytes of one answer into an outcome."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self._answer = Answer()
        self._last = 0.0
        self._done = False

    def feed(self, data: bytes, now: float) -> None:
        """Take what arrived at `now`, seconds since the request was due. Tokens that arrive together make one gap."""
        tokens = sum(map(self._is_token, self._answer.feed(data)))
        if not tokens:
            return
        outcome = self.outcome
        if outcome.first is None:
            outcome.first = now
        else:
            outcome.gaps.append(now - self._last)
        outcome.events += tokens
        self._last = now

    @property
    def ended(self) -> bool:
        """The answer is whole."""
        return self._answer.ended

    def close(self, now: float, lost: bool = False) -> Outcome:
        """Return the outcome, now that nothing more will come."""
        self.outcome.total = now
        if self.outcome.error is None and not self._done:
            self.outcome.error = self._failure(lost)
        return self.outcome

    def _is_token(self, event: bytes) -> bool:
        if _TOKEN.search(event):
            return True
        self._special(event)
        return False

    def _special(self, event: bytes) -> None:
        payload = event.partition(b"data:")[2].strip()
        if payload == b"[DONE]":
            self._done = True
        elif payload:
            self._facts(json.loads(payload))

    def _facts(self, said: dict[str, Any]) -> None:
        if said.get("error"):
            self.outcome.error = str(said["error"].get("code") or "error_in_stream")
        usage = said.get("usage") or {}
        self.outcome.tokens = usage.get("completion_tokens") or self.outcome.tokens
        self.outcome.prompt_tokens = usage.get("prompt_tokens") or self.outcome.prompt_tokens

    def _failure(self, lost: bool) -> str:
        if not self._answer.status:
            return "connection_lost" if lost else "no_answer"
        if self._answer.status == 200:
            return "cut_off"
        try:
            return f"{self._answer.status} {json.loads(self._answer.plain)['error']['code']}"
        except (ValueError, KeyError, TypeError):
            return str(self._answer.status)
