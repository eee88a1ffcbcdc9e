"""The name of one request, for whoever looks for it in logs."""

from __future__ import annotations

import re
import secrets
from typing import Final

from starlette.requests import Request

from gateway.surfaces.failures import TELL

_REQUEST_ID: Final = re.compile(r"[!-~]{1,128}", re.ASCII)


def identify(request: Request) -> dict[str, str]:
    """The headers of this request's answer, an error too: the caller's own name for it, or a new one. They may grow."""
    sent = request.headers.get("x-request-id", "")
    id = sent if _REQUEST_ID.fullmatch(sent) else f"req_{secrets.token_hex(16)}"
    headers: dict[str, str] = {"x-request-id": id}
    request.scope[TELL] = headers
    return headers
