"""One reading of one log: what a frame means, and what a lost connection does. No I/O.

Both transports and both sides, sync and asyncio, drive this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hearth_client.backoff import Backoff, Patience
from hearth_client.cursor import Cursor
from hearth_client.errors import HearthError, told
from hearth_client.events import Event
from hearth_client.sse import Decoder, Frame

# These say that a frame of ours came too late or too early; the lane itself goes on.
_OF_THE_FRAME = frozenset({"lane_in_use", "unknown_lane"})


class Reading:
    """Feed it what a connection brings; it returns events, until `done`."""

    def __init__(self, generation: str, after: str | None, patience: Patience) -> None:
        self.generation = generation
        self._cursor = Cursor(after)
        self._backoff = Backoff(patience)
        self._decoder = Decoder()
        self._epoch = ""
        self._done = False

    @property
    def done(self) -> bool:
        """Nothing more will come."""
        return self._done or self._cursor.done

    @property
    def after(self) -> str | None:
        """The position to go on from."""
        return self._cursor.position

    def connected(self) -> None:
        """A new SSE response begins."""
        self._decoder = Decoder()
        self._backoff.begun()

    def ended(self) -> None:
        """The server said that the log holds nothing after our position."""
        self._done = True

    def lost(self, error: HearthError) -> float:
        """Return the seconds to wait before connecting again, or raise the error."""
        return self._backoff.lost(error)

    def bytes(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that a piece of an SSE body completes; those before a cut are still yielded."""
        frames = self._decoder.feed(chunk)
        if self._decoder.retry is not None:
            self._backoff.base = self._decoder.retry / 1000
        for frame in frames:
            event = self._sse(frame)
            if event is not None:
                yield event

    def frame(self, frame: Mapping[str, Any]) -> Event | None:
        """Return the event that a WebSocket frame of this lane carries, if it carries one."""
        match frame.get("t"):
            case "attached":
                self.generation, self._epoch = frame["generation"], frame["epoch"]
                self._backoff.begun()
            case "epoch":
                self._epoch = frame["epoch"]
            case "detached":
                self.ended()
            case "error" if frame.get("code") not in _OF_THE_FRAME:
                raise told(frame)
            case str(name):
                return self._take(self._epoch, name, frame)
        return None

    def _sse(self, frame: Frame) -> Event | None:
        data = parsed(frame.data)
        if frame.event == "cut":
            raise told(data)
        epoch, _, _ = frame.id.rpartition("-")
        return self._take(epoch, frame.event, data)

    def _take(self, epoch: str, name: str, data: Mapping[str, Any]) -> Event | None:
        if "o" not in data:
            return None
        event = self._cursor.take(epoch, name, data)
        if event is not None:
            self._backoff.progressed()
        return event


def parsed(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object that a frame holds."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise HearthError("bad_frame", "a frame that is not JSON") from error
    if not isinstance(value, dict):
        raise HearthError("bad_frame", "a frame that is not a JSON object")
    return value
