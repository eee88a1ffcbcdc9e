"""Many readings on one socket: which lane a frame is for, and what to send after a cut. No I/O, and no clock."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping
from typing import Any

from hearth_client import wire
from hearth_client.backoff import Backoff, Patience
from hearth_client.errors import HearthError, told
from hearth_client.events import Event
from hearth_client.reading import Reading, parsed


class Route:
    """One lane: what it has received and nobody has taken yet, at most the rest of its generation."""

    def __init__(self, lane: str, reading: Reading) -> None:
        self.lane = lane
        self.reading = reading
        self.events: deque[Event] = deque()
        self.error: HearthError | None = None
        self.attached = False
        self.creation: str | None = None
        """The frame that starts its generation, where that may be sent again."""
        self.due: float | None = None

    @property
    def over(self) -> bool:
        """The socket will bring nothing more to this lane."""
        return self.reading.done or self.error is not None


class Switchboard:
    """Feed it frames; `outbox` fills with frames to send."""

    def __init__(self, patience: Patience) -> None:
        self.routes: dict[str, Route] = {}
        self.outbox: list[str] = []
        self._patience = patience
        self._backoff = Backoff(patience)
        self._numbers = itertools.count()

    def create(self, request: Mapping[str, Any], idempotency_key: str | None) -> tuple[Route, str]:
        """Return a new lane and the frame that starts its generation."""
        route = self._open("", None)
        frame = wire.create(route.lane, request, idempotency_key)
        if idempotency_key is not None:
            route.creation = frame
        return route, frame

    def attach(self, generation: str, after: str | None) -> tuple[Route, str]:
        """Return a new lane and the frame that follows a generation."""
        route = self._open(generation, after)
        return route, wire.attach(route.lane, generation, after)

    def connected(self) -> None:
        """A new socket is open: every lane goes on from where it stands."""
        self._backoff.begun()
        self.outbox = [self._again(route) for route in self.routes.values()]

    def receive(self, text: str | bytes, now: float) -> Route | None:
        """Return the lane that a frame changed."""
        frame = parsed(text)
        route = self.routes.get(str(frame.get("id")))
        if route is None:
            if frame.get("t") == "error" and "id" not in frame:
                raise told(frame)
            return None
        try:
            self._hear(route, frame)
        except HearthError as error:
            self._stumble(route, error, ended=frame.get("t") == "error", now=now)
        if route.over:
            del self.routes[route.lane]
        return route

    def wake(self, now: float) -> float | None:
        """Queue the lanes whose wait is over; return the seconds until the next one's is."""
        waits = []
        for route in self.routes.values():
            if route.due is not None and route.due <= now:
                self.outbox.append(self._again(route))
            elif route.due is not None:
                waits.append(route.due - now)
        return min(waits, default=None)

    def lost(self, error: HearthError) -> float:
        """Return the seconds to wait before connecting again, or raise. A lane that never began ends here."""
        for route in list(self.routes.values()):
            # Whether the server started a generation is unknown, and starting a second one is not ours to choose.
            if not route.reading.generation and route.creation is None:
                self._fail(route, error)
        return self._backoff.lost(error)

    def close(self, error: HearthError) -> None:
        """End every lane."""
        for route in list(self.routes.values()):
            self._fail(route, error)

    def _open(self, generation: str, after: str | None) -> Route:
        route = Route(str(next(self._numbers)), Reading(generation, after, self._patience))
        self.routes[route.lane] = route
        return route

    def _hear(self, route: Route, frame: Mapping[str, Any]) -> None:
        event = route.reading.frame(frame)
        route.attached = route.attached or frame.get("t") == "attached"
        if event is not None:
            route.events.append(event)
            self._backoff.progressed()

    def _stumble(self, route: Route, error: HearthError, *, ended: bool, now: float) -> None:
        """Take one lane's trouble: try it again, end it, or give up the socket that garbled it."""
        if error.retry and not ended:
            raise error
        try:
            route.due = now + route.reading.lost(error)
        except HearthError as final:
            route.error = final
            if not ended:
                self.outbox.append(wire.detach(route.lane))

    def _again(self, route: Route) -> str:
        route.due = None
        if not route.reading.generation and route.creation is not None:
            return route.creation
        return wire.attach(route.lane, route.reading.generation, route.reading.after)

    def _fail(self, route: Route, error: HearthError) -> None:
        route.error = error
        self.routes.pop(route.lane, None)
