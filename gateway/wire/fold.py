"""Several pieces of an answer as one, where nobody can tell the difference by the text."""

from __future__ import annotations

from collections.abc import Sequence

from engines.base import Delta
from gateway.events import Event


def fold(start: int, events: Sequence[Event], *, exact: bool = False) -> list[tuple[int, Event]]:
    """The events, plain pieces of one choice joined, each with the offset of the last event in it.

    Where these offsets must be `exact`, so that a reader may go on after any of them, choices in turn stay apart.
    """
    if len(events) == 1:
        return [(start, events[0])]
    folded: list[tuple[int, Event]] = []
    runs: dict[int, list[Delta]] = {}

    def close(last: int) -> None:
        folded.extend((last, _joined(run)) for run in runs.values())
        runs.clear()

    for offset, event in enumerate(events, start):
        if type(event) is not Delta:
            close(offset - 1)
            folded.append((offset, event))
            continue
        run = runs.get(event.choice)
        if run is not None and _joins(run[-1], event):
            run.append(event)
            continue
        if run is not None or exact:
            close(offset - 1)
        runs[event.choice] = [event]
    close(start + len(events) - 1)
    return folded


def _joins(piece: Delta, next: Delta) -> bool:
    """Whether both may be said in one breath; a chunk says its reasoning before its text."""
    return (
        piece.finish is None
        and not (piece.text and next.reasoning)
        and not (piece.tool_calls or next.tool_calls or piece.logprobs or next.logprobs or piece.extra or next.extra)
    )


def _joined(run: list[Delta]) -> Delta:
    if len(run) == 1:
        return run[0]
    last = run[-1]
    return Delta(
        last.choice,
        "".join([piece.text for piece in run]),
        finish=last.finish,
        stop=last.stop,
        reasoning="".join([piece.reasoning for piece in run]),
    )
