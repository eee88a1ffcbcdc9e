"""Files that stand in an input as `data:` URLs: a large one is kept as an upload is, so that nothing else holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from gateway.files import data_urls
from gateway.files.data_urls import DataURL
from gateway.files.file import File
from gateway.files.store import Facts, Files

LARGE: Final = 32 << 10
"""Letters of a data URL; one that has no more stays in the input."""


async def keep(files: Files, url: str, data: DataURL, owner: str, most: int) -> File | None:
    """The file of a data URL, of `most` bytes, kept for the owner of that mark; None where it is small.

    Raises ValueError where its data cannot be read, also of a small one; HearthError `file_too_large`,
    `state_unavailable`. Then nothing is kept.
    """
    if len(url) > LARGE:
        facts = Facts(data.name, data.content_type)
        return await files.keep(owner, "upload", _pieces(url, data), most, lambda: facts)
    for _ in data_urls.pieces(url, data):
        pass
    return None


async def _pieces(url: str, data: DataURL) -> AsyncIterator[bytes]:
    for piece in data_urls.pieces(url, data):
        yield piece
