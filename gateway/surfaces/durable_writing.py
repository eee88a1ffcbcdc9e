"""Writing remote streams by the Durable Streams protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from gateway.core import Gateway
from gateway.errors import HearthError
from gateway.remote import RemoteStreams
from gateway.surfaces.body import BodyLimits, read_body
from gateway.surfaces.caller import caller
from gateway.surfaces.durable_headers import SAFE, answer, say_on_errors, standing
from gateway.surfaces.durable_reading import GENERATION
from gateway.surfaces.origin import foreign
from gateway.wire import writes

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


class Writing:
    """PUT, POST and DELETE, where they are `allowed`. `now` is in unix seconds."""

    def __init__(
        self, gateway: Gateway, remote: RemoteStreams, limits: BodyLimits, allowed: bool, now: Callable[[], float]
    ) -> None:
        self._gateway = gateway
        self._remote = remote
        self._limits = limits
        self._allowed = allowed
        self._now = now

    async def create(self, request: Request) -> Response:
        headers = self._check(request)
        body = await read_body(request, self._limits)
        if self._gateway.closing:
            raise HearthError("draining")
        wanted, closes = writes.create(headers, self._now()), writes.closes(headers)
        records = writes.split(wanted.content_type, body)
        found, fresh = await self._remote.create(
            request.path_params["id"], caller(request).namespace, wanted, records, closes
        )
        told = standing(found, found.end, found.closed)
        if fresh:
            told["location"] = f"{request.url.scheme}://{request.url.netloc}{request.scope['raw_path'].decode('ascii')}"
        return answer(found, told, 201 if fresh else 200)

    async def append(self, request: Request) -> Response:
        headers = self._check(request)
        ask = writes.append(headers, await read_body(request, self._limits))
        try:
            found, fresh = await self._remote.append(request.path_params["id"], caller(request).namespace, ask)
        except HearthError as error:
            say_on_errors(request, {_TOLD[name]: str(fact) for name, fact in error.details.items() if name in _TOLD})
            raise
        told = {**SAFE, **standing(found, found.end, found.closed)}
        if ask.producer is not None:
            told["producer-epoch"] = str(ask.producer.epoch)
            told["producer-seq"] = str(found.highest(ask.producer))
        return Response(status_code=200 if fresh and ask.producer and ask.records else 204, headers=told)

    async def delete(self, request: Request) -> Response:
        self._check(request)
        await self._remote.delete(request.path_params["id"], caller(request).namespace)
        return Response(status_code=204, headers=SAFE)

    def _check(self, request: Request) -> Headers:
        """The headers of a write that may be. Raises HearthError `read_only`, `foreign_origin`, `invalid_request`."""
        say_on_errors(request)
        if foreign(request):
            raise HearthError("foreign_origin")
        if not self._allowed or request.path_params["id"].startswith(GENERATION):
            raise HearthError("read_only")
        for name in _ONCE:
            if len(request.headers.getlist(name)) > 1:
                raise HearthError("invalid_request", f"{name} may be given once.", parameter=name)
        return request.headers
