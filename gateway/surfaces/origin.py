"""Whose page asks. A browser says, and lets any page ask anything whose answer it then keeps to itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

_DEFAULT_PORTS = {"http": 80, "https": 443}


def foreign(asked: HTTPConnection) -> bool:
    """Whether a page of another site asks: it could spend this server's work unseen."""
    origin = asked.headers.get("origin")
    if origin is None:
        return False
    try:
        page = urlsplit(origin)
        here = urlsplit(f"//{asked.headers.get('host', '')}")
        default = _DEFAULT_PORTS.get(page.scheme)
        return (page.hostname, page.port or default) != (here.hostname, here.port or default)
    except ValueError:
        return True
