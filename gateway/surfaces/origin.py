"""Whose page asks. A browser says, and lets any page ask anything whose answer it then keeps to itself."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

WELCOME: Final = "hearth.welcome"
"""In a connection's scope where a page of another site asks that the settings let in."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


def foreign(asked: HTTPConnection) -> bool:
    """Whether a page of another site asks that was not let in: it could spend this server's work unseen."""
    origin = asked.headers.get("origin")
    if origin is None or WELCOME in asked.scope:
        return False
    try:
        page = urlsplit(origin)
        here = urlsplit(f"//{asked.headers.get('host', '')}")
        default = _DEFAULT_PORTS.get(page.scheme)
        return (page.hostname, page.port or default) != (here.hostname, here.port or default)
    except ValueError:
        return True


def by_own_name(asked: HTTPConnection) -> bool:
    """Whether the server was asked for by a name that is this machine's alone.

    A page may have its own site's name lead to this machine (DNS rebinding), and then it is no page of another site.
    HTTP/1.0 names nobody, and no browser speaks it.
    """
    host = asked.headers.get("host")
    if host is None:
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
