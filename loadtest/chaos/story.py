"""What one reader puts together over all its connections, and what must not happen to it. No I/O."""

from __future__ import annotations

import json
from typing import Any, Final

from loadtest.chaos.wire import Frame

TOLD: Final = frozenset({"epoch_mismatch", "trimmed", "past_the_end"})
"""Codes that say: your position is not good here, begin anew."""


class Violation(Exception):
    """A promise that was broken. The first word names it."""


class Gone(Exception):
    """The log was lost, and the reader was told so, by this code."""


class Story:
    """The text so far, the position to go on from, and how it ended. Raises Violation where offsets are not dense."""

    def __init__(self) -> None:
        self.text = ""
        self.epoch = ""
        self.offset = -1
        self.ended: str | None = None
        """`finished`, or the code of what it ended with."""
        self.sent_away: str | None = None
        """Why the server ended this connection early."""
        self.renewals = 0
        """Times that the log went on under another epoch."""

    @property
    def position(self) -> str | None:
        return f"{self.epoch}-{self.offset}" if self.offset >= 0 else None

    def restart(self) -> None:
        """Forget everything: the position was refused."""
        self.text, self.epoch, self.offset = "", "", -1

    def hear(self, frame: Frame) -> None:
        """Take a native server-sent event."""
        data = json.loads(frame.data)
        if frame.event == "cut":
            self.sent_away = data["code"]
            return
        epoch, _, last = frame.id.rpartition("-")
        if int(last) != data["o"] + data["n"] - 1:
            raise Violation(f"misnamed: {frame}")
        self.take(epoch, frame.event, data)

    def take(self, epoch: str, event: str, data: dict[str, Any]) -> None:
        """Take a native event of any transport."""
        self._go_on(epoch, data["o"], data["o"] + data["n"] - 1)
        if event == "delta":
            self.text += data.get("d", "")
        elif event == "end":
            self.ended = data["state"] if data["state"] != "failed" else data["error"]["code"]

    def hear_chunk(self, frame: Frame) -> None:
        """Take one of OpenAI's chunks; only resumable ones have an id."""
        epoch, _, last = frame.id.rpartition("-")
        if frame.data == "[DONE]":
            self._step(epoch, last)
            self.ended = "finished"
            return
        data = json.loads(frame.data)
        if error := data.get("error"):
            if frame.id:
                self._step(epoch, last)
                self.ended = error["code"]
            else:
                self.sent_away = error["code"]
            return
        content = "".join(choice["delta"].get("content") or "" for choice in data["choices"])
        if frame.id and content and int(last) <= self.offset:
            raise Violation(f"doubled: {frame} after {self.position}")
        self._step(epoch, last)
        self.text += content

    def attach(self, first: int) -> None:
        """Begin on a lane of a WebSocket."""
        if first != self.offset + 1:
            raise Violation(f"{_wrong(first, self.offset)}: attached from {first} after {self.position}")

    def _go_on(self, epoch: str, first: int, last: int) -> None:
        if first != self.offset + 1:
            raise Violation(f"{_wrong(first, self.offset)}: {epoch}-{first} after {self.position}")
        if self.offset >= 0 and epoch != self.epoch:
            self.renewals += 1
        self.epoch, self.offset = epoch, last

    def _step(self, epoch: str, last: str) -> None:
        if epoch:
            if int(last) < self.offset:
                raise Violation(f"doubled: {epoch}-{last} after {self.position}")
            self.epoch, self.offset = epoch, int(last)


def _wrong(first: int, before: int) -> str:
    return "lost" if first > before + 1 else "doubled"


def judge(story: Story, truth: str) -> None:
    """Compare a story that has ended well with the truth. Raises Violation."""
    if story.text != truth:
        at = next((i for i, (a, b) in enumerate(zip(story.text, truth, strict=False)) if a != b), None)
        at = min(len(story.text), len(truth)) if at is None else at
        begin = max(0, at - 30)
        raise Violation(
            f"different: at {at} of {len(truth)} letters, {story.text[begin : at + 40]!r} for"
            f" {truth[begin : at + 40]!r}; {story.position}"
        )
