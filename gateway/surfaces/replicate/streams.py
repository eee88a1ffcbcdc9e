"""/streams/{pass}: what a prediction says, as server-sent events, for whoever has its address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from gateway.core import Gateway
from gateway.errors import TABLE, HearthError
from gateway.log.local import Log, Reader
from gateway.predictions.base import Predictions
from gateway.predictions.record import Record
from gateway.predictions.showing import Showing
from gateway.surfaces.direct import Direct
from gateway.surfaces.event_stream import EventStream
from gateway.surfaces.following import Dialect, Following
from gateway.surfaces.identity import identify
from gateway.surfaces.replicate.preflight import preflight
from gateway.wire.replicate.stream import Stream, resume
from gateway.wire.watch import portion

_KEEP_ALIVE_S: Final = 10.0
"""Python's client gives up after thirty seconds of silence."""
_PATH: Final = "/streams/{written}"


def routes(gateway: Gateway, predictions: Predictions, showing: Showing, keep_alive_s: float) -> list[Route]:
    """The routes, without a prefix."""

    async def get(request: Request) -> Response:
        headers = identify(request)
        await showing.begin()
        id = showing.whose_stream(request.path_params["written"])
        record = None if id is None else await predictions.get(id)
        if record is None:
            raise HearthError("unknown_prediction")
        after = request.headers.get("last-event-id")
        log = await gateway.open(record.generation, record.owner, resume(after)[0] if after else None)
        speaker = Speaker(record, log, showing, request)

        @contextmanager
        def following(scope: Scope) -> Iterator[Following]:
            with gateway.reading(log) as reader:
                reader.next = speaker.stream.first
                pause_s = min(keep_alive_s, _KEEP_ALIVE_S)
                yield Following(gateway, reader, speaker, scope, pause_s, b": open\n\n")

        return EventStream(following, {"cache-control": "no-store", "access-control-allow-origin": "*", **headers})

    return [Route(_PATH, Direct(get), methods=["GET"]), preflight(_PATH)]


class Speaker(Dialect):
    """Says a log in Replicate's events."""

    def __init__(self, record: Record, log: Log, showing: Showing, request: Request) -> None:
        # Its line reader loses what stands behind some breaks within a line.
        exact = not request.headers.get("user-agent", "").startswith("replicate-python/")
        self.stream = Stream(
            log,
            lambda kept: showing.file_address(record, kept),
            after=request.headers.get("last-event-id"),
            exact=exact,
            document=showing.document(record),
        )

    def frames(self, reader: Reader) -> bytes:
        start, stop, _ = portion(reader)
        reader.next = stop
        return self.stream.frames(start, stop)

    def cut(self, code: str) -> bytes:
        # A stream that just ends is taken for a whole one.
        return self.stream.broken(TABLE[code].sentence)
