"""What a log is in Redis: names of keys, and what stands in a stream's entry and in a published message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from gateway.events import Event
from gateway.generation import Generation

PUBLISHED_BYTES: Final = 32 << 10
"""A larger message is published as a mere bell: whoever hears it reads the stream."""


class Keys:
    """The names under one prefix; all of one log share a hash tag, so that a cluster keeps them together."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.running = f"{prefix}:running"
        """Sorted set of running logs by the time (ms) they were last known to run: where orphans are looked for."""
        self.ended = f"{prefix}:ended"
        """Sorted set of ended logs by the time (ms) they ended."""
        self.sizes = f"{prefix}:sizes"
        """Hash of each log's bytes, for the budget."""
        self.sweeper = f"{prefix}:sweeper"
        """There while a replica has looked after the budget lately."""
        self.everybody = f"{prefix}:everybody"
        """Channel that every replica hears."""

    def meta(self, id: str) -> str:
        return f"{self._prefix}:{{{id}}}:meta"

    def log(self, id: str) -> str:
        return f"{self._prefix}:{{{id}}}:log"

    def generation(self, id: str) -> str:
        return f"{self._prefix}:{{{id}}}:gen"

    def channel(self, id: str) -> str:
        """Where a log's appends are published."""
        return f"{self._prefix}:{{{id}}}:live"

    def replica(self, name: str) -> str:
        """Channel that one replica alone hears."""
        return f"{self._prefix}:to:{name}"


class Message(NamedTuple):
    """One append: the epoch it was made in, its first and its last offset, its events unless they are too large."""

    epoch: str
    first: int
    last: int
    events: Sequence[Event] | None


class Packing:
    """Packs and unpacks messages and generations. Holds its coders, which are costly to make."""

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._message = msgspec.msgpack.Decoder(tuple[str, int, int, list[Event] | None])
        self._generation = msgspec.msgpack.Decoder(Generation)

    def pack(self, message: Message) -> bytes:
        return self._encode(tuple(message))

    def unpack(self, data: bytes) -> Message:
        """Raises ValueError on anything that `pack` did not make."""
        return Message(*self._message.decode(data))

    def pack_generation(self, generation: Generation) -> bytes:
        return self._encode(generation)

    def unpack_generation(self, data: bytes) -> Generation:
        """Raises ValueError."""
        return self._generation.decode(data)


def write_past(past: Mapping[str, int]) -> str:
    """Earlier epochs, each with the last offset it is good for, as the scripts write them."""
    return "".join(f"{epoch}:{last} " for epoch, last in past.items())


def read_past(written: bytes) -> dict[str, int]:
    """What `write_past` wrote."""
    pairs = (pair.split(":") for pair in written.decode().split())
    return {epoch: int(last) for epoch, last in pairs}
