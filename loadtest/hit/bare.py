"""A bare GET in Redis's own protocol (RESP2), as cheap as Python can: what a hit is measured against."""

from __future__ import annotations


def get(key: str) -> bytes:
    """The bytes that ask for a value."""
    return f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n".encode()


class Value:
    """A bulk string as it arrives."""

    def __init__(self) -> None:
        self.first: float | None = None
        """When its first byte came, in seconds since it was asked for."""
        self.size = 0
        self._head = b""
        self._left: int | None = None

    @property
    def good(self) -> bool:
        """Whether there was such a value."""
        return self.size > 0

    def feed(self, data: bytes, now: float) -> bool:
        if self.first is None:
            self.first = now
        if self._left is None:
            self._head += data
            head, found, data = self._head.partition(b"\r\n")
            if not found:
                return False
            if not head.startswith(b"$") or head == b"$-1":
                return True
            self.size = int(head[1:])
            self._left = self.size + len(b"\r\n")
        self._left -= len(data)
        return self._left <= 0
