"""From an upstream's embeddings to vectors. Pure."""

from __future__ import annotations

import binascii
import struct

import msgspec

from engines.errors import EngineError
from engines.openai.asking import Job
from engines.openai.shapes import Usage


class _Item(msgspec.Struct):
    embedding: str | list[float]
    index: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Item]
    usage: Usage | None = None


def read(answer: bytes, job: Job, vectors: list[bytes]) -> int:
    """Put each vector where it belongs; how many tokens the texts have. Raises EngineError `engine_failed`."""
    try:
        told = msgspec.json.decode(answer, type=_Answer)
        if len(told.data) != len(job.places):
            raise ValueError(f"{len(told.data)} vectors for {len(job.places)} texts")
        for position, item in enumerate(told.data):
            vectors[job.places[position if item.index is None else item.index]] = _packed(item.embedding)
    except (msgspec.DecodeError, ValueError, IndexError, struct.error) as error:
        raise EngineError("engine_failed", f"The upstream sent what are no embeddings: {error}.") from None
    return told.usage.prompt if told.usage else 0


def _packed(embedding: str | list[float]) -> bytes:
    """As float32, little-endian: that is what the base64 form holds; not every server knows that form."""
    if isinstance(embedding, str):
        return binascii.a2b_base64(embedding)
    return struct.pack(f"<{len(embedding)}f", *embedding)
