"""Where a load goes: this machine, and no other."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from loadtest.plan import PlanError


class Address(NamedTuple):
    """A server on this machine."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Address:
        """Return the address of a URL such as http://127.0.0.1:8000. Raises PlanError."""
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        if parts.scheme != "http" or not _is_loopback(host):
            raise PlanError(f"{url!r} is not this machine: a load test loads http://127.0.0.1:PORT and nothing else")
        return cls(host, parts.port or 80)

    def request(self, method: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
        """Return the bytes that ask for something, once on this connection; `headers` are whole lines."""
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\nconnection: close\r\n{headers}"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
