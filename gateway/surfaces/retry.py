"""What every surface says of a call over HTTP: where its answer is, and whether it is an earlier call's."""

from __future__ import annotations

from starlette.requests import Request

from gateway.call import Call


def idempotency_key(request: Request) -> str | None:
    """The request's `Idempotency-Key`, unchecked; several headers are one with commas (RFC 9110, 5.3)."""
    sent = request.headers.getlist("idempotency-key")
    return ", ".join(sent) if sent else None


def whereabouts(call: Call) -> dict[str, str]:
    """The headers that lead to a call's generation."""
    id = call.generation.id
    headers = {"x-generation-id": id, "location": f"/v1/streams/{id}"}
    if call.replayed:
        headers["idempotent-replayed"] = "true"
    return headers
