"""Predictions of the stand-in for Replicate: their states, and a model that says words."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from tests.engines.replicate.published import JUDGE, WHOLE, Published

ENDED = ("succeeded", "failed", "canceled", "aborted")


class Running:
    """One prediction, and all that happened to it."""

    def __init__(self, id: str, model: Published, input: dict[str, Any]) -> None:
        self.id = id
        self.model = model
        self.input = input
        self.status = "starting"
        self.output: Any = None
        self.error: str | None = None
        self.logs = ""
        self.metrics: dict[str, Any] = {}
        self.created = _now()
        self.started: str | None = None
        self.completed: str | None = None
        self.events: list[tuple[str, str]] = []
        """What its stream says, from the beginning."""
        self._began = 0.0
        self._changed = asyncio.Event()
        self.over = asyncio.Event()

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def begin(self) -> None:
        """Its model is up, and runs it."""
        self.status, self.started, self._began = "processing", _now(), time.monotonic()
        self.tell("logs", "running\n")

    def say(self, word: str) -> None:
        """A piece of output."""
        if self.model.streams:
            self.output = [*(self.output or []), word]
            self.tell("output", word)

    def tell(self, event: str, data: str) -> None:
        """Put an event on its stream."""
        if event == "logs":
            self.logs += data
        self.events.append((event, data))
        self._change()

    def end(self, status: str, error: str | None = None) -> None:
        """Close it, unless it is over."""
        if self.ended:
            return
        self.over.set()
        started = self.status == "processing"
        self.status, self.error, self.completed = status, error, _now()
        if started:
            spent = time.monotonic() - self._began
            self.metrics |= {"predict_time": spent, "total_time": spent}
        if error is not None:
            self.tell("error", json.dumps({"detail": error}))
        self.tell("done", json.dumps({"failed": {"reason": "error"}, "succeeded": {}}.get(status, {"reason": status})))

    async def stream(self) -> AsyncIterator[tuple[int, str, str]]:
        """Every event with its number, to the last."""
        number = 0
        while not (self.ended and number == len(self.events)):
            if number == len(self.events):
                await self._changed.wait()
                continue
            yield number, *self.events[number]
            number += 1

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def words(input: dict[str, Any]) -> list[str]:
    """What the model says to an input: as many words as it may, made of the prompt."""
    asked = json.dumps(input.get("messages") or input.get("prompt"))
    mark = hashlib.sha256(asked.encode()).hexdigest()[:6]
    named = (input.get(name) for name in ("max_tokens", "max_completion_tokens", "max_new_tokens"))
    length = next((most for most in named if most is not None), 32)
    return [f"{' ' if index else ''}{mark}.{index}" for index in range(length)]


def whole(model: Published, said: list[str]) -> Any:
    """The output of a model that gives it at once."""
    return {WHOLE: "".join(said), JUDGE: {"label": "good", "score": 0.5}}[model.name]


def count(input: dict[str, Any]) -> int:
    """How many tokens an input has, a word each."""
    return max(1, len(json.dumps(input.get("messages") or input.get("prompt")).split()))


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
