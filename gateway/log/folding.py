"""A finished log as one value, and back: what the cache keeps."""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from engines.base import Accepted, Delta
from gateway.events import Event, Finished, LogLine, Note, Output
from gateway.generation import Generation, State
from gateway.log.base import new_epoch
from gateway.log.local import Log

_SMALL: Final = 512
"""Bytes up to which compressing gains nothing."""
_QUICK: Final = 1
_SAID: Final = (Accepted, Delta, Output, LogLine, Finished)
"""What is part of an answer; how it came about (boots, waiting) is not."""


def incomplete(log: Log) -> str | None:
    """Why an ended log is no answer for others, in a word; None when it is one.

    Every choice has ended by itself, by a tool call, or because it is as long as was asked for.
    """
    events = log.between(log.first, log.tail + 1)
    if not events or not isinstance(events[-1], Finished):
        return "unfinished"
    if any(isinstance(event, Note) and event.kind == "takeover" for event in events):
        # Chance went on anew in the middle: asked again, the model would say something else.
        return "continued"
    asked = log.generation.prompt.parameters.get("max_tokens")
    tokens: dict[int, int] = {}
    left = log.generation.prompt.choices
    for event in events:
        if isinstance(event, Delta):
            tokens[event.choice] = tokens.get(event.choice, 0) + len(event.tokens)
            if event.finish is not None:
                left -= 1
            if event.finish == "length" and (asked is None or tokens[event.choice] < asked):
                return "cut"
            if event.finish == "content_filter":
                return "filtered"
    return "unfinished" if left else None


class Folding:
    """Packs and unpacks answers. Holds its coders, which are costly to make."""

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[Event]).decode

    def fold(self, log: Log) -> bytes:
        """What a finished log says."""
        packed = self._encode([event for event in log.between(log.first, log.tail + 1) if isinstance(event, _SAID)])
        return packed if len(packed) <= _SMALL else b"\x00" + zlib.compress(packed, _QUICK)

    def unfold(self, folded: bytes, generation: Generation) -> Log:
        """A log that says the same, as a finished one of that generation. Raises ValueError on anything else."""
        try:
            # A list of events begins with another byte than zero.
            events = self._decode(zlib.decompress(folded[1:]) if folded[:1] == b"\x00" else folded)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        generation.state = State.FINISHED
        log = Log(generation, new_epoch())
        log.fill(events)
        return log
