"""What every surface hears of a call over HTTP, and says of it: retries, the cache, waiting, where its answer is."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from gateway.call import Call
from gateway.wire import prefer
from gateway.wire.cache_control import Control, with_headers
from gateway.wire.prefer import Patience

_NO: Final = ("0", "false", "no")


def idempotency_key(request: Request) -> str | None:
    """The request's `Idempotency-Key`, unchecked; several headers are one with commas (RFC 9110, 5.3)."""
    sent = request.headers.getlist("idempotency-key")
    return ", ".join(sent) if sent else None


def cache_control(request: Request, wishes: Control) -> Control:
    """What the caller wants of the cache: by the body, and by `Cache-Control`."""
    return with_headers(wishes, request.headers.getlist("cache-control"))


def patience(request: Request) -> Patience:
    """What the caller wants where its model is not warm: by `Prefer`, and by `x-no-fallback`."""
    wait_s = prefer.wait_s(request.headers.getlist("prefer"))
    return Patience(wait_s, request.headers.get("x-no-fallback", "no").strip().lower() in _NO)


def whereabouts(call: Call) -> dict[str, str]:
    """The headers that lead to a call's generation, and what else is said of the call."""
    headers = dict(call.headers)
    id = call.generation.id
    headers |= {"x-generation-id": id, "location": f"/v1/streams/{id}"}
    if call.replayed:
        headers["idempotent-replayed"] = "true"
    return headers
