"""A streamed chat or text completion in OpenAI's form. No I/O."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from loadtest.plan import UNHARMED, Harm
from loadtest.stream import Answer
from loadtest.surfaces.base import Talk

_TOKEN: Final = re.compile(rb'"(?:content|reasoning|reasoning_content|text)": ?"(?!")|"tool_calls": ?\[\{')


class Completion(Talk):
    """Asked once. To leave is to close the connection."""

    def __init__(self, question: bytes, harm: Harm = UNHARMED) -> None:
        super().__init__(harm)
        self._question: bytes | None = question
        self._answer = Answer()
        self._done = False

    def question(self) -> bytes | None:
        question, self._question = self._question, None
        return question

    def feed(self, data: bytes, now: float) -> bytes:
        """Take what arrived: no token's JSON is parsed. Tokens that arrive together make one gap."""
        tokens = sum(map(self._is_token, self._answer.feed(data)))
        if tokens and self.said(tokens, now):
            self.outcome.left, self.ended = "canceled", True
        elif self._answer.ended:
            self._end(lost=False)
        return b""

    def lost(self, abruptly: bool) -> None:
        self._end(abruptly)

    def _end(self, lost: bool) -> None:
        self.ended = True
        if self.outcome.error is None and not self._done:
            self.outcome.error = self._answer.failure(lost)

    def _is_token(self, event: bytes) -> bool:
        if _TOKEN.search(event):
            return True
        payload = event.partition(b"data:")[2].strip()
        if payload == b"[DONE]":
            self._done = True
        elif payload:
            self._note(json.loads(payload))
        return False

    def _note(self, told: dict[str, Any]) -> None:
        if told.get("error"):
            self.outcome.error = str(told["error"].get("code") or "error_in_stream")
        usage = told.get("usage") or {}
        self.outcome.tokens = usage.get("completion_tokens") or self.outcome.tokens
        self.outcome.prompt_tokens = usage.get("prompt_tokens") or self.outcome.prompt_tokens
