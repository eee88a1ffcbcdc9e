"""The socket that takes a server's connections."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Final

from gateway.settings import SettingsError

_BACKLOG: Final = 2048


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections there. Raises SettingsError."""
    try:
        return socket.create_server((host, port), family=_family(host), backlog=_BACKLOG)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                told = f"Port {port} on {host} is in use; choose another with --port, or stop what listens there."
            case errno.EACCES:
                told = f"Port {port} is for the system's administrator; choose one from 1024 up with --port."
            case errno.EADDRNOTAVAIL | socket.EAI_NONAME:
                told = f"{host} is no address of this machine; --host 0.0.0.0 listens on all of them."
            case _:
                told = f"Cannot listen on {host}, port {port}: {error.strerror}."
        raise SettingsError(told) from None


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
