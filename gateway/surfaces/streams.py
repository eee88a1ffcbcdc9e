"""/v1/streams: start a generation, watch it from any position, stop it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from gateway.core import Gateway
from gateway.errors import TABLE, HearthError
from gateway.log.base import Position, check
from gateway.log.local import Log, Reader
from gateway.surfaces.body import BodyLimits, read_json
from gateway.surfaces.call_headers import cache_control, idempotency_key, patience, whereabouts
from gateway.surfaces.caller import caller
from gateway.surfaces.direct import Direct
from gateway.surfaces.event_stream import HEADERS, EventStream
from gateway.surfaces.following import Dialect, Following
from gateway.wire import prompt, watch
from gateway.wire.snapshot import snapshot


class Manners(NamedTuple):
    """How long this surface waits, in seconds."""

    keep_alive_s: float
    abandon_after_s: float


def routes(gateway: Gateway, limits: BodyLimits, manners: Manners) -> list[Route]:
    """`/v1/streams` and `/v1/streams/{id}`."""

    async def start(request: Request) -> Response:
        body = await read_json(request, limits)
        ask = prompt.parse({**body, "stream": True})
        call, _ = await gateway.start(
            ask.model,
            ask.prompt,
            key=caller(request),
            surface="streams",
            grace=manners.abandon_after_s,
            addressed=True,
            idempotency_key=idempotency_key(request),
            control=cache_control(request, ask.cache),
            patience=patience(request),
        )
        generation = call.generation
        headers = whereabouts(call)
        told = {
            "id": generation.id,
            "object": "stream",
            "model": generation.model,
            "state": generation.state,
            "created": generation.created,
            "url": headers["location"],
        }
        return _json(told, 201, headers)

    async def get(request: Request) -> Response:
        after = _position(request)
        if _wants_json(request):
            seen = await gateway.look(request.path_params["id"], caller(request).namespace)
            return _json(snapshot(seen), 200, {**_facts(seen), "vary": "accept", "cache-control": "no-cache"})
        try:
            log = await gateway.open(request.path_params["id"], caller(request).namespace, after)
        except HearthError as error:
            if (again := come_back(error, request)) is not None:
                return again
            raise
        start = check(log, after)
        headers = {**_facts(log), "x-stream-from": str(start), "vary": "accept"}
        if log.ended and start > log.tail:
            return Response(status_code=204, headers=headers)

        @contextmanager
        def following(scope: Scope) -> Iterator[Following]:
            with gateway.reading(log, after) as reader:
                yield Following(gateway, reader, Watch(log), scope, manners.keep_alive_s, _head(reader))

        return EventStream(following, headers)

    async def stop(request: Request) -> Response:
        generation = await gateway.cancel(request.path_params["id"], caller(request).namespace)
        return _json({"id": generation.id, "state": generation.state}, 200, {"x-generation-id": generation.id})

    return [
        Route("/v1/streams", start, methods=["POST"]),
        Route("/v1/streams/{id}", Direct(get), methods=["GET"]),
        Route("/v1/streams/{id}", stop, methods=["DELETE"]),
    ]


class Watch(Dialect):
    """The native frames as server-sent events; all watchers of one log share their bytes."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def frames(self, reader: Reader) -> bytes:
        log, (start, stop, replay) = self._log, watch.portion(reader)
        reader.next = stop
        return log.frame(
            ("watch", replay), start, stop, lambda: watch.sse(log.between(start, stop), log.epoch, start, replay)
        )

    def cut(self, code: str) -> bytes:
        return _cut(code)


def _cut(code: str) -> bytes:
    row = TABLE[code]
    told = {"code": code, "message": row.sentence, "retry": row.may_retry}
    return b"event: cut\ndata: %s\n\n" % orjson.dumps(told)


def come_back(error: HearthError, asked: HTTPConnection) -> Response | None:
    """How an event stream is told of an error that passes; None for other errors, and for who wants no such stream.

    A browser's EventSource comes back after a stream that ends, and never after an error's status.
    """
    if not error.row.may_retry or "text/event-stream" not in asked.headers.get("accept", ""):
        return None
    return Response(_retry() + _cut(error.code), headers=HEADERS)


def _retry() -> bytes:
    """How soon to come back, in milliseconds, spread so that not all come at once."""
    return b"retry: %d\n" % (1000 + secrets.randbelow(2001))


def _head(reader: Reader) -> bytes:
    """The first line, which also gets the headers through proxies."""
    log = reader.log
    opened = f": open {log.generation.id} epoch={log.epoch} from={reader.next} tail={log.tail}"
    return _retry() + opened.encode() + b"\n\n"


def _facts(log: Log) -> dict[str, str]:
    return {
        "x-generation-id": log.generation.id,
        "x-stream-epoch": log.epoch,
        "x-stream-state": str(log.generation.state),
    }


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/event-stream" not in accept


def _position(request: Request) -> Position | None:
    """The last event that the client saw. A header wins: an EventSource comes back to the address it began with."""
    query = request.query_params
    given = request.headers.get("last-event-id") or query.get("last_event_id") or query.get("after")
    return Position.parse(given) if given else None


def _json(body: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")
