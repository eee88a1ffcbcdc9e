"""The Durable Streams protocol on /v1/streams/{id}: reading any stream, and writing those of remote producers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.keys import LOCAL
from gateway.log.base import Position
from gateway.log.local import Reader
from gateway.remote import RemoteStreams
from gateway.surfaces.body import BodyLimits, read_body
from gateway.surfaces.event_stream import Dialect, EventStream, follow
from gateway.surfaces.failures import TELL
from gateway.surfaces.origin import foreign
from gateway.surfaces.presence import present
from gateway.wire import durable, ledger
from gateway.wire.durable import GenerationView, Live, Portion, Query, View

ROTATE_S: Final = 60.0
"""A live event stream is ended after about so long: its reader comes back, perhaps to another server."""

_PATH: Final = "/v1/streams/{id:path}"
_GENERATION: Final = "gen_"
_SAFE: Final = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}
_ONCE: Final = (
    *("content-type", "stream-ttl", "stream-expires-at", "stream-seq", "stream-closed"),
    *("producer-id", "producer-epoch", "producer-seq"),
)
_TOLD: Final = {
    "stream_closed": "stream-closed",
    "next_offset": "stream-next-offset",
    "producer_epoch": "producer-epoch",
    "expected_seq": "producer-expected-seq",
    "received_seq": "producer-received-seq",
}
"""Details of an error that its answer's headers say too."""


def routes(
    gateway: Gateway,
    remote: RemoteStreams,
    limits: BodyLimits,
    *,
    writes: bool,
    keep_alive_s: float,
    now: Callable[[], float],
) -> list[Route]:
    """What of `/v1/streams/{id}` is this protocol's; `now` is in unix seconds. Goes before the native routes."""

    async def read(request: Request) -> Response:
        _say_on_errors(request)
        query = durable.query(request.query_params.multi_items())
        view = await find(request, touches=request.method == "GET")
        if request.method == "HEAD":
            return _answer(view, {**_standing(view, view.end, view.closed), "cache-control": "no-store"})
        start = durable.begin(view, query.offset)
        if query.live is Live.SSE:
            return stream(view, start, query, request)
        portion = durable.shared(view, start)
        if query.live is Live.LONG_POLL and not portion.records and not view.closed:
            async with present(request.receive):
                portion = await poll(view, portion.stop)
            if view.gone:
                raise HearthError("unknown_generation", "The stream was deleted.")
        return _portion(view, start, portion, query, request, now())

    async def find(request: Request, *, touches: bool) -> View:
        name = request.path_params["id"]
        if name.startswith(_GENERATION):
            return GenerationView(await gateway.open(name, LOCAL))
        found = await remote.open(name, LOCAL)
        if touches:
            await remote.touch(found)
        return found

    async def poll(view: View, start: int) -> Portion:
        """What comes next; nothing when nothing comes in time, when it ends, or when the server goes down."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + keep_alive_s
        portion = durable.shared(view, start)
        with gateway.reading(view.log, Position(view.log.epoch, start - 1)) as reader:
            while not portion.records and not view.log.ended and not gateway.draining.is_set():
                # Not every event is a record.
                reader.next = portion.stop
                left = deadline - clock()
                if left <= 0 or not await reader.wait(left):
                    break
                portion = durable.shared(view, portion.stop)
        return portion

    def stream(view: View, start: int, query: Query, request: Request) -> Response:
        headers = {**_SAFE, **view.headers}
        if not durable.is_text(view.content_type):
            headers["stream-sse-data-encoding"] = "base64"
        return EventStream(events(view, start, query, request), headers)

    async def events(view: View, start: int, query: Query, request: Request) -> AsyncGenerator[bytes]:
        clock = asyncio.get_running_loop().time
        ends = clock() + ROTATE_S
        with gateway.reading(view.log, Position(view.log.epoch, start - 1)) as reader:
            says = Saying(view, start, query.cursor, now)
            frames = follow(gateway, reader, says, request.scope, keep_alive_s, says.head(reader))
            async with aclosing(frames):
                async for frame in frames:
                    yield frame
                    if clock() > ends:
                        return

    async def create(request: Request) -> Response:
        headers = writing(request)
        body = await read_body(request, limits)
        if gateway.closing:
            raise HearthError("draining")
        wanted, closes = ledger.create(headers, now()), ledger.closes(headers)
        records = ledger.split(wanted.content_type, body)
        found, fresh = await remote.create(request.path_params["id"], LOCAL, wanted, records, closes)
        told = _standing(found, found.end, found.closed)
        if fresh:
            told["location"] = f"{request.url.scheme}://{request.url.netloc}{request.scope['raw_path'].decode('ascii')}"
        return _answer(found, told, 201 if fresh else 200)

    async def append(request: Request) -> Response:
        headers = writing(request)
        ask = ledger.append(headers, await read_body(request, limits))
        try:
            found, fresh = await remote.append(request.path_params["id"], LOCAL, ask)
        except HearthError as error:
            _say_on_errors(request, {_TOLD[name]: str(fact) for name, fact in error.details.items() if name in _TOLD})
            raise
        told = {"stream-next-offset": durable.token(found.log.epoch, found.end), **_SAFE}
        if found.closed:
            told["stream-closed"] = "true"
        if ask.producer is not None:
            told["producer-epoch"] = str(ask.producer.epoch)
            told["producer-seq"] = str(found.highest(ask.producer))
        return Response(status_code=200 if fresh and ask.producer and ask.records else 204, headers=told)

    async def delete(request: Request) -> Response:
        writing(request)
        await remote.delete(request.path_params["id"], LOCAL)
        return Response(status_code=204, headers=_SAFE)

    def writing(request: Request) -> Headers:
        """The headers of a write that may be. Raises HearthError `read_only`, `foreign_origin`, `invalid_request`."""
        _say_on_errors(request)
        if foreign(request):
            raise HearthError("foreign_origin")
        if not writes or request.path_params["id"].startswith(_GENERATION):
            raise HearthError("read_only")
        for name in _ONCE:
            if len(request.headers.getlist(name)) > 1:
                raise HearthError("invalid_request", f"{name} may be given once.", parameter=name)
        return request.headers

    async def options(request: Request) -> Response:
        # No `access-control-allow-origin`: pages of other sites stay out, as everywhere here.
        methods = "GET, HEAD, OPTIONS, PUT, POST, DELETE"
        asks = "content-type, if-none-match, last-event-id, stream-closed, stream-expires-at, stream-seq, stream-ttl"
        allowed = {
            "allow": methods,
            "access-control-allow-methods": methods,
            "access-control-allow-headers": f"{asks}, producer-id, producer-epoch, producer-seq",
        }
        return Response(status_code=204, headers={**_SAFE, **allowed})

    return [
        _Claimed(_PATH, read, methods=["GET"]),
        _Claimed(_PATH, create, methods=["PUT"]),
        _Claimed(_PATH, append, methods=["POST"]),
        _Claimed(_PATH, delete, methods=["DELETE"]),
        _Claimed(_PATH, options, methods=["OPTIONS"]),
    ]


class _Claimed(Route):
    """Fits the requests that speak this protocol: a generation may be read natively too, and is stopped so alone."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        if match is not Match.NONE and not _is_ours(child["path_params"]["id"], scope):
            return Match.NONE, {}
        return match, child


def _is_ours(name: str, scope: Scope) -> bool:
    if not name.startswith(_GENERATION):
        return name != ""
    if scope["method"] == "GET":
        asked = Request(scope).query_params
        return "offset" in asked or "live" in asked
    return bool(scope["method"] != "DELETE")


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


def _portion(view: View, start: int, portion: Portion, query: Query, request: Request, now: float) -> Response:
    """A read's answer: what there is from `start`."""
    up_to_date = portion.stop > view.log.tail
    at = portion.next if portion.records else start
    headers = _standing(view, at, view.closed and up_to_date)
    if up_to_date:
        headers["stream-up-to-date"] = "true"
    if query.live is not None and not (view.closed and up_to_date):
        headers["stream-cursor"] = str(_cursor(now, query.cursor))
    if query.live is Live.LONG_POLL and not portion.records:
        return Response(status_code=204, headers={**_SAFE, **headers, "cache-control": "no-store"})
    if query.offset == "now":
        return _answer(
            view, {**headers, "cache-control": "no-store"}, body=durable.body(view.content_type, portion.records)
        )
    headers["etag"] = durable.etag(view, start, portion)
    # What is whole never changes; what may grow is to be asked for again, and a 304 is quick.
    headers["cache-control"] = "private, no-cache" if up_to_date else "private, max-age=60, stale-while-revalidate=300"
    if query.live is None and durable.matches(headers["etag"], request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers={**_SAFE, **headers})
    return _answer(view, headers, body=durable.body(view.content_type, portion.records))


def _standing(view: View, next: int, closed: bool) -> dict[str, str]:
    headers = {"stream-next-offset": durable.token(view.log.epoch, next)}
    if closed:
        headers["stream-closed"] = "true"
    return headers


def _answer(view: View, headers: dict[str, str], status: int = 200, body: bytes = b"") -> Response:
    return Response(body, status, {**_SAFE, **view.headers, "content-type": view.content_type, **headers})


def _cursor(now: float, given: int | None) -> int:
    return durable.cursor(now, given, 1 + secrets.randbelow(durable.JITTER))


def _say_on_errors(request: Request, headers: dict[str, str] | None = None) -> None:
    request.scope[TELL] = {**_SAFE, "cache-control": "no-store", **(headers or {})}
