"""The one error: a code to act on, a sentence to read, and whether the same ask may be tried again.

Codes are the server's (docs/http.md) and these of our own:

unreachable       no connection could be made
connection_lost   it ended before the log did
silent            nothing arrived for the silence deadline, not even a keep-alive
discontinuity     the server skipped or re-cut events
bad_frame         the server sent what the contract does not know
bad_position      `after` is not a position
closed            the socket was closed by its own side
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MAY_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})


class HearthError(Exception):
    """What the server told, or what kept us from hearing it."""

    def __init__(
        self,
        code: str,
        message: str,
        retry: bool = False,
        *,
        status: int | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        epoch: str | None = None,
        earliest: int | None = None,
        tail: int | None = None,
    ) -> None:
        super().__init__(code, message, retry)
        self.code = code
        self.message = message
        self.retry = retry
        self.status = status
        self.param = param
        self.retry_after = retry_after
        self.epoch = epoch
        self.earliest = earliest
        self.tail = tail

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def told(
    body: Mapping[str, Any], *, status: int | None = None, retry_after: float | None = None, code: str = "unknown"
) -> HearthError:
    """Return the error that a body, a lane's error frame, a cut or a failed end carries."""
    retry = body.get("retry")
    return HearthError(
        str(body.get("code") or code),
        str(body.get("message") or "no reason given"),
        status in _MAY_RETRY if retry is None else bool(retry),
        status=status,
        param=body.get("param"),
        retry_after=retry_after,
        epoch=body.get("epoch"),
        earliest=body.get("earliest"),
        tail=body.get("tail"),
    )
