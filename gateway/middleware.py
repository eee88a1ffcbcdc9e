"""Who asks, and from whose page, is settled before any surface is reached. No bytes of an answer pass through here."""

from __future__ import annotations

import asyncio
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import tickets
from gateway.errors import HearthError
from gateway.keyring.lookup import Lookup
from gateway.keys import LOCAL, Key
from gateway.surfaces.caller import CAME, KEY, ONLY, RENEW
from gateway.surfaces.failures import refuse
from gateway.surfaces.origin import WELCOME, by_own_name
from gateway.surfaces.replicate.files import is_signed
from gateway.surfaces.streams import come_back

ANYONE: Final = msgspec.structs.replace(LOCAL, admin=False)
"""Whoever asks without a key where none is needed."""

_OPEN: Final = ("/", "/healthz", "/readyz", "/metrics")
_STREAMS: Final = "/v1/streams/"
_STREAM: Final = re.compile(r"/replicate(?:/v1){0,2}/streams/[^/]+")
_SOCKET: Final = "/v1/ws"
_SCHEMES: Final = ("bearer", "token")
_PROTOCOL: Final = "bearer."
"""How a browser's WebSocket sends its key: as a protocol it speaks, with the key in base64url behind this."""

_EXPOSED: Final = (
    *("location", "retry-after", "retry-after-ms", "x-should-retry", "x-request-id"),
    *("age", "cache-status", "x-cache", "x-cache-ttl", "x-cache-key", "x-cache-source-id"),
    *("x-generation-id", "x-stream-epoch", "x-stream-from", "x-stream-state", "idempotent-replayed", "etag"),
    *("stream-next-offset", "stream-up-to-date", "stream-closed", "stream-cursor", "stream-sse-data-encoding"),
    *("producer-epoch", "producer-seq", "producer-expected-seq", "producer-received-seq"),
    *("preference-applied", "x-model", "x-fallback-for"),
    *("x-budget-remaining", "x-budget-reset", "x-max-tokens-advice"),
    *(f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")),
)
"""The headers of answers that pages of other sites may read."""


class Authentication:
    """Finds the key of every request and every socket, or refuses it."""

    def __init__(self, app: ASGIApp, lookup: Lookup, now: Callable[[], float], *, open_access: bool) -> None:
        self._app = app
        self._lookup = lookup
        self._now = now
        self._open_access = open_access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            scope[CAME] = asyncio.get_running_loop().time()
            try:
                key = scope[KEY] = ANYONE if _needs_none(scope) else await self._find(scope)
            except HearthError as error:
                again = come_back(error, HTTPConnection(scope)) if _is_read(scope) else None
                await (again or partial(refuse, error))(scope, receive, send)
                return
            scope[RENEW] = partial(self._renew, key)
        await self._app(scope, receive, send)

    async def _find(self, scope: Scope) -> Key:
        ticket = _take_ticket(scope)
        if not self._open_access and not await self._lookup.wanted():
            if not by_own_name(HTTPConnection(scope)):
                raise HearthError("foreign_host")
            return LOCAL
        key, told = None, None
        if (secret := _secret(scope)) is not None:
            key = await self._lookup.by_secret(secret)
            told = "This key is unknown here, or no longer good; whoever runs this server can give you another."
        elif ticket is not None:
            key = await self._by_ticket(ticket, scope)
            told = "This ticket is no longer good, or not for this; POST /v1/tickets gives another."
        if key is not None:
            return key
        # Whatever is in front of an open server, it knows nothing of who may use /admin.
        if self._open_access and ticket is None and not scope["path"].startswith("/admin"):
            return ANYONE
        raise _unauthorized(told)

    async def _by_ticket(self, text: str, scope: Scope) -> Key | None:
        reads = _is_read(scope)
        opens = scope["type"] == "websocket" and scope["path"] == _SOCKET
        if not reads and not opens:
            return None
        ticket = tickets.check(text, await self._lookup.seal(), self._now())
        if ticket is None:
            return None
        if ticket.only is not None:
            if reads and scope["path"] != _STREAMS + ticket.only:
                raise HearthError("unknown_generation")
            scope[ONLY] = ticket.only
        return await self._by_id(ticket.holder)

    async def _by_id(self, id: str) -> Key | None:
        if id == ANYONE.id:
            return ANYONE if self._open_access else None
        return await self._lookup.by_id(id)

    async def _renew(self, key: Key) -> Key:
        if key is LOCAL and not await self._lookup.wanted():
            return key
        renewed = await self._by_id(key.id)
        if renewed is None:
            raise _unauthorized("The key that this began with is no longer good.")
        return renewed


class Origins:
    """Lets pages of other sites in, as CORS has it. Without an `Origin` a request passes by, and so does what a browser
    asks beforehand of an address that pages of any site may read.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = origins
        self._cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST", "PUT", "DELETE"),
            allow_headers=("*",),
            allow_private_network=True,
            expose_headers=_EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = None if scope["type"] == "lifespan" else Headers(scope=scope).get("origin")
        if origin is None or _asks_beforehand(scope):
            await self._app(scope, receive, send)
            return
        if "*" in self._origins or origin in self._origins:
            scope[WELCOME] = True
        await self._cors(scope, receive, send)


def _needs_none(scope: Scope) -> bool:
    """Whether this is for everybody: the page, what watches over the server, and what a browser asks beforehand."""
    if scope["type"] == "http" and scope["method"] == "OPTIONS":
        return "access-control-request-method" in Headers(scope=scope)
    path = str(scope["path"])
    return path in _OPEN or path.startswith("/static/") or _lets_in(scope["type"], scope.get("method"), path)


def _asks_beforehand(scope: Scope) -> bool:
    """Whether a browser asks about an address that is its own key: its surface lets pages of any site in."""
    return bool(scope["type"] == "http" and scope["method"] == "OPTIONS" and _lets_in("http", "GET", scope["path"]))


def _lets_in(kind: str, method: str | None, path: str) -> bool:
    """Whether the address itself is the key: it is signed, and its surface looks at that."""
    reads = kind == "http" and method in ("GET", "HEAD")
    return reads and (_STREAM.fullmatch(path) is not None or is_signed(path))


def _is_read(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] == "GET" and str(scope["path"]).startswith(_STREAMS)


def _secret(scope: Scope) -> str | None:
    headers = Headers(scope=scope)
    scheme, _, sent = headers.get("authorization", "").partition(" ")
    if scheme.lower() in _SCHEMES and sent.strip():
        return sent.strip()
    if sent := headers.get("x-api-key", "").strip():
        return sent
    return next(filter(None, map(_spoken, scope.get("subprotocols", ()))), None)


def _spoken(protocol: str) -> str | None:
    if not protocol.startswith(_PROTOCOL):
        return None
    written = protocol.removeprefix(_PROTOCOL)
    try:
        return urlsafe_b64decode(written + "=" * (-len(written) % 4)).decode()
    except ValueError:
        return written  # It is a key all the same, and a wrong one.


def _take_ticket(scope: Scope) -> str | None:
    """The ticket of an address. It is taken out of it: whatever logs the address later does not log the ticket."""
    if b"ticket=" not in scope["query_string"]:
        return None
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    scope["query_string"] = urlencode([pair for pair in pairs if pair[0] != "ticket"]).encode()
    return next((value for name, value in pairs if name == "ticket"), None)


def _unauthorized(told: str | None) -> HearthError:
    return HearthError("unauthorized", told, headers={"www-authenticate": "Bearer"})
