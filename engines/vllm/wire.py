"""What the gateway and an engine host say to each other over their socket.

Each message is a length (four bytes, big-endian) and that many bytes of MessagePack. A lane is one prompt under way;
its number is chosen by the gateway and never used twice on one socket.

A host may have several gateways, each on a socket of its own. The first is its owner: the host ends with that socket.
The others are guests, and take only their lanes along.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from engines.base import JSON, Accepted, Delta, Embeddings, Prompt, Said
from engines.errors import Code
from engines.vllm.resting import Level


class Start(msgspec.Struct, frozen=True, array_like=True, tag="start"):
    """Begin to answer a prompt, or go on from what was said of it; `id` names it in vLLM's own logs."""

    lane: int
    id: str
    prompt: Prompt
    said: tuple[Said, ...] = ()


class Embed(msgspec.Struct, frozen=True, array_like=True, tag="embed"):
    """Turn the texts of a prompt into vectors; `id` names it in vLLM's own logs."""

    lane: int
    id: str
    prompt: Prompt


class Abort(msgspec.Struct, frozen=True, array_like=True, tag="abort"):
    """Stop a lane. Nothing is said of it afterwards but what is already on its way."""

    lane: int


class AskMetrics(msgspec.Struct, frozen=True, array_like=True, tag="ask_metrics"):
    """Say your metrics."""


class Greet(msgspec.Struct, frozen=True, array_like=True, tag="greet"):
    """Serve the gateway that listens at this path as well, and say when that began. Only the owner says this."""

    path: str


class Stop(msgspec.Struct, frozen=True, array_like=True, tag="stop"):
    """End the engine and yourself. Only the owner says this."""


class Sleep(msgspec.Struct, frozen=True, array_like=True, tag="sleep"):
    """Put the engine to sleep, and say when it is. Only the owner says this."""

    level: Level


class Wake(msgspec.Struct, frozen=True, array_like=True, tag="wake"):
    """Wake the engine that sleeps at that level, and say when it has decoded a token. Only the owner says this."""

    level: Level


class Progress(msgspec.Struct, frozen=True, array_like=True, tag="progress"):
    """A stage of the boot, for people."""

    text: str


class Ready(msgspec.Struct, frozen=True, array_like=True, tag="ready"):
    """A token was decoded, or a vector computed: the engine is warm."""

    context_length: int
    parameters: frozenset[str]
    chat: bool
    embeds: bool
    version: str | None = None
    chat_defaults: dict[str, JSON] = {}
    text_defaults: dict[str, JSON] = {}


class Step(msgspec.Struct, frozen=True, array_like=True, tag="step"):
    """All that one step of the engine gave, for all lanes."""

    chunks: list[tuple[int, Accepted | Delta]]


class Embedded(msgspec.Struct, frozen=True, array_like=True, tag="embedded"):
    """The vectors of a lane, which is over with them."""

    lane: int
    embeddings: Embeddings


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """A lane is over before its end."""

    lane: int
    code: Code
    message: str
    parameter: str | None


class Metrics(msgspec.Struct, frozen=True, array_like=True, tag="metrics"):
    """Prometheus text."""

    text: str


class Greeted(msgspec.Struct, frozen=True, array_like=True, tag="greeted"):
    """That guest was told that the engine is warm, or is not there."""

    path: str


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="settled"):
    """The engine sleeps, or is warm again, as it was told; `fault` is why it could not."""

    fault: str | None = None


class Died(msgspec.Struct, frozen=True, array_like=True, tag="died"):
    """The engine is gone, or never came; the host ends."""

    code: Code
    reason: str


ToHost = Start | Embed | Abort | AskMetrics | Greet | Sleep | Wake | Stop
FromHost = Progress | Ready | Step | Embedded | Failed | Metrics | Greeted | Settled | Died

_HEAD: Final = 4


def pack(message: ToHost | FromHost) -> bytes:
    """One message as it goes over the socket."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(_HEAD, "big") + body


class Splitter:
    """Turns what a socket gives, cut anywhere, into the bodies that were packed."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Every body that is whole now."""
        self._buffer += data
        start, end = 0, len(self._buffer)
        while end - start >= _HEAD:
            size = int.from_bytes(self._buffer[start : start + _HEAD], "big")
            if end - start - _HEAD < size:
                break
            yield bytes(self._buffer[start + _HEAD : start + _HEAD + size])
            start += _HEAD + size
        del self._buffer[:start]


def to_host() -> msgspec.msgpack.Decoder[ToHost]:
    """Decodes what the gateway packed."""
    return msgspec.msgpack.Decoder(ToHost)


def from_host() -> msgspec.msgpack.Decoder[FromHost]:
    """Decodes what a host packed."""
    return msgspec.msgpack.Decoder(FromHost)
