"""WebSocket frames (RFC 6455), as little of them as a client of one server needs. No I/O."""

from __future__ import annotations

import base64
import secrets
from typing import Final

from loadtest.address import Address

TEXT: Final = 1
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
_UNMASKED: Final = b"\0\0\0\0"
"""A mask that changes nothing. Masks protect careless proxies, and there is none on the way to this machine."""


def handshake(address: Address, path: str) -> bytes:
    """Return the request that makes a connection a socket."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    head = (
        f"GET {path} HTTP/1.1\r\nhost: {address.host}:{address.port}\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n"
    )
    return head.encode()


def frame(payload: bytes, kind: int = TEXT) -> bytes:
    """Return a client's frame."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([0x80 | kind]) + length + _UNMASKED + payload


class Frames:
    """A server's frames as they arrive. It sends each message in one frame, as Hearth does."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the kinds and payloads of the frames that `data` completes."""
        data, start, found = self._rest + data, 0, []
        while len(data) >= start + 2:
            size, body = data[start + 1] & 0x7F, start + 2
            if size > 125:
                body += 2 if size == 126 else 8
                size = int.from_bytes(data[start + 2 : body], "big")
            if len(data) < body or len(data) < body + size:
                break
            found.append((data[start] & 0x0F, data[body : body + size]))
            start = body + size
        self._rest = data[start:]
        return found
