"""An error in the shape that Replicate's clients read: an object with title, detail and status (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from gateway.errors import HearthError

_TITLES: Final[Mapping[str, str]] = {
    "unauthorized": "Unauthenticated",
    "budget_exceeded": "Insufficient credit",
    "unknown_version": "Invalid version or not permitted",
    "invalid_inputs": "Input validation failed",
}


def body(error: HearthError) -> dict[str, Any]:
    """The whole body; `invalid_fields` and `retry_after` (whole seconds) where they are known."""
    problem: dict[str, Any] = {
        "title": _TITLES.get(error.code) or HTTPStatus(error.row.status).phrase,
        "detail": error.message,
        "status": error.row.status,
    }
    if "invalid_fields" in error.details:
        problem["invalid_fields"] = error.details["invalid_fields"]
    if error.retry_after_s is not None:
        problem["retry_after"] = max(1, math.ceil(error.retry_after_s))
    return problem
