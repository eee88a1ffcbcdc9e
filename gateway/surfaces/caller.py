"""Who asks, as the middleware found out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import HTTPConnection

from gateway.errors import HearthError
from gateway.keys import Key
from gateway.surfaces.origin import foreign

KEY: Final = "hearth.key"
"""Where a connection's scope holds the caller's key."""
RENEW: Final = "hearth.renew"
"""Where it holds what gives that key as it is by now."""
ONLY: Final = "hearth.only"
"""Where it holds the one generation that the caller may read, if a ticket says so."""

CAME: Final = "hearth.came"
"""Where it holds when it began, by the loop's clock."""


def caller(connection: HTTPConnection) -> Key:
    """The key of whoever asks."""
    key: Key = connection.scope[KEY]
    return key


async def still(connection: HTTPConnection) -> Key:
    """The caller's key once more, long after the connection began.

    Raises HearthError `unauthorized` when it is no longer good, and `state_unavailable`.
    """
    renew: Callable[[], Awaitable[Key]] = connection.scope[RENEW]
    return await renew()


def came(connection: HTTPConnection) -> float:
    """When the request came in, by the loop's clock."""
    at: float = connection.scope[CAME]
    return at


def only(connection: HTTPConnection) -> str | None:
    """The one generation that the caller may read, and do nothing else; None for all of its own."""
    id: str | None = connection.scope.get(ONLY)
    return id


def administrator(connection: HTTPConnection) -> Key:
    """The key of whoever asks, who may use /admin. Raises HearthError `forbidden`, `foreign_origin`."""
    if foreign(connection):
        raise HearthError("foreign_origin")
    key = caller(connection)
    if not key.admin:
        raise HearthError("forbidden", "Only an admin key may do that.")
    return key
