"""Where a server is, as an address to visit."""

from __future__ import annotations

from typing import Final

from gateway.settings import Settings

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def visit(host: str, port: int) -> str:
    """The URL by which this machine reaches a server that listens there."""
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_everywhere(host: str) -> bool:
    """Whether that host stands for every network of this machine."""
    return host in _EVERYWHERE


def default(settings: Settings) -> str:
    """The URL of the server that `hearth serve` runs with the same settings."""
    return visit(settings.host, settings.port)
