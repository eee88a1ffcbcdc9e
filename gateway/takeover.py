"""What a log tells the one who has to go on with it."""

from __future__ import annotations

from typing import NamedTuple

from engines.base import Accepted, Delta, Output, Said
from gateway.log.local import Log


class SoFar(NamedTuple):
    """A generation up to the tail of its log. `said` has one entry for each choice; `reason` is why choice 0 ended."""

    said: tuple[Said, ...]
    accepted: Accepted | None
    tokens: int
    reason: str
    outputs: int = 0
    """How many outputs a predictor has given."""

    @property
    def begun(self) -> bool:
        """Whether any choice has said anything."""
        return any(choice != Said() for choice in self.said)

    @property
    def whole(self) -> bool:
        """Whether every choice has ended: only the end of the log is missing."""
        return all(choice.finished for choice in self.said)


def so_far(log: Log) -> SoFar:
    """Add up what a log holds."""
    sums = [_Sum() for _ in range(log.generation.prompt.choices)]
    accepted, reason, outputs = None, "stop", 0
    for event in log.between(log.first, log.tail + 1):
        if isinstance(event, Delta):
            sums[event.choice].add(event)
            if event.choice == 0 and event.finish is not None:
                reason = event.finish
        elif isinstance(event, Accepted):
            accepted = event
        elif isinstance(event, Output):
            outputs += 1
    tokens = sum(len(each.tokens) for each in sums)
    return SoFar(tuple(each.said() for each in sums), accepted, tokens, reason, outputs)


class _Sum:
    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.tool_calls = self.finished = False

    def add(self, delta: Delta) -> None:
        self.tokens += delta.tokens
        self.text.append(delta.text)
        self.reasoning.append(delta.reasoning)
        self.tool_calls |= bool(delta.tool_calls)
        self.finished |= delta.finish is not None

    def said(self) -> Said:
        return Said(
            tokens=tuple(self.tokens),
            text="".join(self.text),
            reasoning="".join(self.reasoning),
            tool_calls=self.tool_calls,
            finished=self.finished,
        )
