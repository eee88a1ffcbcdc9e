"""Many readers of one generation in one loop: they share two cores with the server that they measure."""

from __future__ import annotations

import math
import os
import select
import socket
from array import array
from collections import Counter
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Final

from loadtest.address import Address
from loadtest.fanout.frames import Piece, piece
from loadtest.servers import ServerError
from loadtest.sockets import dropped

_AT_ONCE: Final = 500
_READ_BYTES: Final = 16 << 10
_KNOWN: Final = 1_024
_LOOK_S: Final = 0.05
_CONNECT_S: Final = 10.0
_BATCH: Final = 1_024


class Reader:
    """One connection, and how far it is."""

    __slots__ = ("ended", "next", "opened", "rest", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.next = 0
        """The offset of the event that must come next."""
        self.rest = b""
        self.opened = False
        self.ended = False


class Readers:
    """All of them; leaving the block drops their connections.

    `frames` and `events` count what came to all together. `lags` are seconds from the time that a frame's oldest token
    names to its arrival, noted while it is a list.
    """

    def __init__(self, address: Address, path: str, count: int) -> None:
        self.frames = 0
        self.events = 0
        self.lags: array[float] | None = None
        self.faults: Counter[str] = Counter()
        self._opened = 0
        self._address = address
        self._count = count
        self._request = (
            f"GET {path} HTTP/1.1\r\nhost: {address.host}:{address.port}\r\naccept: text/event-stream\r\n\r\n"
        ).encode()
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {}
        self._known: dict[bytes, Piece] = {}
        """Pieces by their bytes: most readers are sent the very same, and none of them is looked at twice."""

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._epoll.close()
        for reader in self._readers.values():
            dropped(reader.socket)

    def join(self, seconds: float) -> None:
        """Come in, some at a time, until the server has begun to answer all. Raises ServerError, OSError."""
        until = monotonic() + seconds
        while len(self._readers) < self._count:
            for _ in range(min(_AT_ONCE, self._count - len(self._readers))):
                self._connect()
            while self._opened < len(self._readers):
                if monotonic() > until:
                    raise ServerError(
                        f"{self._opened} of {self._count} readers came in, in {seconds:g} s{self._told()}"
                    )
                self._turn(_LOOK_S)

    def read(self, seconds: float) -> None:
        """Take what comes in that time."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self._turn(left)

    def wait(self, have: Callable[[Reader], bool], seconds: float) -> bool:
        """Read until all have that; whether they do within that time."""
        until = monotonic() + seconds
        while not all(map(have, self._readers.values())):
            if monotonic() > until:
                return False
            self.read(_LOOK_S)
        return True

    @property
    def ends(self) -> set[int]:
        """Where the readers stand: one offset, when all of them have all of it."""
        return {reader.next for reader in self._readers.values()}

    def _connect(self) -> None:
        connection = socket.create_connection(self._address, timeout=_CONNECT_S)
        self._readers[connection.fileno()] = Reader(connection)
        connection.sendall(self._request)
        connection.setblocking(False)
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _turn(self, seconds: float) -> None:
        readers, known = self._readers, self._known
        for descriptor, _ in self._epoll.poll(seconds, _BATCH):
            reader = readers[descriptor]
            try:
                data = os.read(descriptor, _READ_BYTES)
            except ConnectionError:
                data = b""
            now = monotonic()
            if not data:
                self._lost(descriptor, reader)
            elif reader.rest:
                self._take(reader, piece(reader.rest + data), now)
            else:
                self._take(reader, known.get(data) or self._learn(data), now)

    def _learn(self, data: bytes) -> Piece:
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[data] = made = piece(data)
        return made

    def _take(self, reader: Reader, came: Piece, now: float) -> None:
        frames, first, next, stamp, ended, fault, opened, reader.rest = came
        if opened and not reader.opened:
            reader.opened = True
            self._opened += 1
        if fault:
            self.faults[fault] += 1
        if not frames:
            return
        if first != reader.next:
            self.faults["lost" if first > reader.next else "doubled"] += 1
        reader.next, reader.ended = next, ended
        self.frames += frames
        self.events += next - first
        if self.lags is not None and not math.isnan(stamp):
            self.lags.append(now - stamp)

    def _lost(self, descriptor: int, reader: Reader) -> None:
        self._epoll.unregister(descriptor)
        if not reader.ended:
            self.faults["cut_off" if reader.opened else "no_answer"] += 1
            reader.ended = True

    def _told(self) -> str:
        """What one was told instead."""
        said = next((reader.rest for reader in self._readers.values() if not reader.opened and reader.rest), b"")
        return f"; one was told {said[:300]!r}" if said else ""
