"""A program that does what is written to it, a JSON object a line, and says what came of it in the same way."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any


def obey(deeds: dict[str, Callable[..., Any]], client_for: Callable[[str, str | None], Any]) -> None:
    """Until the input ends. Each deed gets a client made for the token and the base URL of its line, then its words."""
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            said = {"gave": plain(deeds[asked["do"]](client_for(asked["token"], asked["base"]), **asked["with"]))}
        except Exception as error:  # noqa: BLE001 - a border: what a user's program would see goes to the test
            said = {"raised": told(error)}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


def told(error: Exception) -> dict[str, Any]:
    """An exception, as far as a user would look at it."""
    response, body = getattr(error, "response", None), getattr(error, "body", None)
    return {
        "type": type(error).__name__,
        "message": str(error),
        "status": getattr(error, "status", None) or getattr(response, "status_code", None),
        "detail": body.get("detail") if isinstance(body, dict) else getattr(error, "detail", None),
    }


def plain(value: Any) -> Any:
    """What can be written as JSON: iterators as lists, files as their address and bytes."""
    if hasattr(value, "read") and hasattr(value, "url"):
        return {"url": value.url, "bytes": base64.b64encode(value.read()).decode()}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | Iterator):
        return [plain(each) for each in value]
    return value
