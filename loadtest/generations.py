"""Generations of a server's, begun and ended over /v1/streams; it blocks."""

from __future__ import annotations

import http.client
import json
from typing import Final

from loadtest.address import Address
from loadtest.servers import MODEL, ServerError

_ASK_S: Final = 30.0


def begin(address: Address) -> str:
    """Start one; its path. Raises ServerError."""
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Speak."}]}
    return f"/v1/streams/{_asked(address, 'POST', '/v1/streams', 201, json.dumps(asked))}"


def end(address: Address, path: str) -> None:
    """Cancel it. Raises ServerError."""
    _asked(address, "DELETE", path, 200)


def _asked(address: Address, method: str, path: str, wanted: int, body: str | None = None) -> str:
    connection = http.client.HTTPConnection(*address, timeout=_ASK_S)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
    finally:
        connection.close()
    if answer.status != wanted:
        raise ServerError(f"{method} {path} was answered {answer.status} {told[:300]!r}")
    return str(json.loads(told)["id"])
