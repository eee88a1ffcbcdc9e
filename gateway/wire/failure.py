"""An error in the shape that OpenAI's clients read."""

from __future__ import annotations

from typing import Any

from gateway.errors import HearthError
from gateway.events import Canceled, Failed


def body(error: HearthError) -> dict[str, Any]:
    """`{"error": {...}}` with OpenAI's fields, whether a retry may help, and the facts a machine can use."""
    return {
        "error": {
            "message": error.message,
            "type": error.row.type,
            "code": error.code,
            "param": error.parameter,
            "retry": error.row.may_retry,
            **error.details,
        }
    }


def of(end: Failed | Canceled) -> HearthError:
    """What a caller is told of a generation that did not finish."""
    if isinstance(end, Failed):
        return HearthError(end.code, end.message, parameter=end.parameter, retry_after_s=end.retry_after_s)
    return HearthError("draining" if end.by == "shutdown" else "canceled")
