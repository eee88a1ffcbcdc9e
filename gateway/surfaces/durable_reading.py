"""Reading a stream by the Durable Streams protocol: at once, by long polls, as an event stream."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.log.base import Position
from gateway.log.local import Reader
from gateway.remote import RemoteStreams
from gateway.surfaces.caller import caller
from gateway.surfaces.durable_headers import SAFE, answer, say_on_errors, standing
from gateway.surfaces.event_stream import EventStream
from gateway.surfaces.following import Dialect, Following
from gateway.surfaces.presence import present
from gateway.wire import durable
from gateway.wire.durable import GenerationView, Live, Portion, Query, View

ROTATE_S: Final = 60.0
"""A live event stream is ended after about so long: its reader comes back, perhaps to another server."""

GENERATION: Final = "gen_"
"""How the names of generations begin; every other name is a remote stream's."""


class Reading:
    """GET and HEAD. `now` is in unix seconds."""

    def __init__(self, gateway: Gateway, remote: RemoteStreams, keep_alive_s: float, now: Callable[[], float]) -> None:
        self._gateway = gateway
        self._remote = remote
        self._keep_alive_s = keep_alive_s
        self._now = now

    async def read(self, request: Request) -> Response:
        say_on_errors(request)
        query = durable.query(request.query_params.multi_items())
        view = await self._find(request, durable.seen(query.offset))
        if request.method == "HEAD":
            return answer(view, {**standing(view, view.end, view.closed), "cache-control": "no-store"})
        start = durable.begin(view, query.offset)
        if query.live is Live.SSE:
            return self._stream(view, start, query)
        portion = durable.shared(view, start)
        if query.live is Live.LONG_POLL and not portion.records and not view.closed:
            async with present(request.receive):
                portion = await self._poll(view, portion.stop)
            if view.gone:
                raise HearthError("unknown_generation", "The stream was deleted.")
        return self._answer(view, start, portion, query, request)

    async def _find(self, request: Request, seen: Position | None) -> View:
        name, owner = request.path_params["id"], caller(request).namespace
        if name.startswith(GENERATION):
            return GenerationView(await self._gateway.open(name, owner, seen))
        found = await self._remote.open(name, owner, seen)
        if request.method != "HEAD":
            await self._remote.touch(found)
        return found

    async def _poll(self, view: View, start: int) -> Portion:
        """What comes next; nothing when nothing comes in time, when it ends, or when the server goes down."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._keep_alive_s
        portion = durable.shared(view, start)
        with self._gateway.reading(view.log, Position(view.log.epoch, start - 1)) as reader:
            while not portion.records and not view.log.ended and not self._gateway.draining.is_set():
                if view.log.lost is not None:
                    raise HearthError(view.log.lost)
                # Not every event is a record.
                reader.next = portion.stop
                left = deadline - clock()
                if left <= 0 or not await reader.wait(left):
                    break
                portion = durable.shared(view, portion.stop)
        return portion

    def _answer(self, view: View, start: int, portion: Portion, query: Query, request: Request) -> Response:
        up_to_date = portion.stop > view.log.tail
        closed = view.closed and up_to_date
        headers = standing(view, portion.next if portion.records else start, closed)
        if up_to_date:
            headers["stream-up-to-date"] = "true"
        if query.live is not None and not closed:
            headers["stream-cursor"] = str(_cursor(self._now(), query.cursor))
        if query.live is Live.LONG_POLL and not portion.records:
            return Response(status_code=204, headers={**SAFE, **headers, "cache-control": "no-store"})
        body = durable.body(view.content_type, portion.records)
        if query.offset == "now":
            return answer(view, {**headers, "cache-control": "no-store"}, body=body)
        headers["etag"] = durable.etag(view, start, portion)
        # What is whole never changes; what may grow is to be asked for again, and a 304 is quick.
        whole = "private, max-age=60, stale-while-revalidate=300"
        headers["cache-control"] = "private, no-cache" if up_to_date else whole
        if query.live is None and durable.matches(headers["etag"], request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers={**SAFE, **headers})
        return answer(view, headers, body=body)

    def _stream(self, view: View, start: int, query: Query) -> Response:
        headers = {**SAFE, **view.headers}
        if not durable.is_text(view.content_type):
            headers["stream-sse-data-encoding"] = "base64"

        @contextmanager
        def following(scope: Scope) -> Iterator[Following]:
            with self._gateway.reading(view.log, Position(view.log.epoch, start - 1)) as reader:
                says = Saying(view, start, query.cursor, self._now)
                head = says.head(reader)
                yield Following(self._gateway, reader, says, scope, self._keep_alive_s, head, rotates=ROTATE_S)

        return EventStream(following, headers)


class Saying(Dialect):
    """One reader's event stream: after all data it is told where it stands."""

    def __init__(self, view: View, start: int, cursor: int | None, now: Callable[[], float]) -> None:
        self._view = view
        self._next = start
        self._cursor = cursor
        self._now = now

    def head(self, reader: Reader) -> bytes:
        """For who has everything already: that this is so."""
        if self._view.log.ended or durable.portion(self._view, reader.next, 0).records:
            return b""
        return self._control(up_to_date=True)

    def frames(self, reader: Reader) -> bytes:
        view, portion = self._view, durable.shared(self._view, reader.next)
        reader.next = portion.stop
        up_to_date = portion.stop > view.log.tail
        if portion.records:
            self._next = portion.next
            data = durable.data_event(view.content_type, portion.records)
            return data + self._control(up_to_date=up_to_date)
        return self._control(up_to_date=True) if up_to_date and view.closed else b""

    def cut(self, code: str) -> bytes:
        return b": %s\n\n" % code.encode()

    def _control(self, *, up_to_date: bool) -> bytes:
        closed = up_to_date and self._view.closed
        self._cursor = _cursor(self._now(), self._cursor)
        next = durable.token(self._view.log.epoch, self._next)
        return durable.control_event(next, cursor=self._cursor, up_to_date=up_to_date, closed=closed)


def _cursor(now: float, given: int | None) -> int:
    return durable.cursor(now, given, 1 + secrets.randbelow(durable.JITTER))
