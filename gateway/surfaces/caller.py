"""Who asks, as the middleware found out."""

from __future__ import annotations

from typing import Final

from starlette.requests import HTTPConnection

from gateway.keys import Key

KEY: Final = "hearth.key"
"""Where a connection's scope holds the caller's key."""


def caller(connection: HTTPConnection) -> Key:
    """The key of whoever asks."""
    key: Key = connection.scope[KEY]
    return key
