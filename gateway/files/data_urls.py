"""Files as `data:` URLs, in and out."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterator
from mimetypes import guess_extension
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from engines.base import Kept
from gateway.errors import HearthError
from gateway.files.names import plain_type
from gateway.files.store import Files

_HEAD: Final = re.compile(r"data:([^,]{0,512}),", re.IGNORECASE)
_LETTERS: Final = 1 << 20
"""Decoded at a time; whole groups of four."""
_BASE64: Final = ";base64"


class DataURL(NamedTuple):
    """One taken apart; its data are still as they were written."""

    content_type: str
    base64: bool
    start: int
    """Where the data begin in the URL."""

    @property
    def name(self) -> str:
        """A name for the file that it is."""
        return "file" + (guess_extension(self.content_type.partition(";")[0]) or "")


def parse(url: str) -> DataURL | None:
    """What a data URL says of itself; None where it is none."""
    head = _HEAD.match(url)
    if head is None:
        return None
    told = head[1].strip()
    base64 = told.lower().endswith(_BASE64)
    written = told[: -len(_BASE64)] if base64 else told
    return DataURL(plain_type(written or "text/plain"), base64, head.end())


def pieces(url: str, data: DataURL) -> Iterator[bytes]:
    """The data in pieces. Raises ValueError where they are not what they should be."""
    yield from _decoded(url, data.start) if data.base64 else _unquoted(url, data.start)


def _unquoted(url: str, begin: int) -> Iterator[bytes]:
    held = ""
    for start in range(begin, len(url), _LETTERS):
        held += url[start : start + _LETTERS]
        # What stands for a byte has three letters, and may lie across two pieces.
        cut = held.find("%", len(held) - 2) if start + _LETTERS < len(url) else -1
        whole = len(held) if cut < 0 else cut
        yield unquote_to_bytes(held[:whole])
        held = held[whole:]


def _decoded(url: str, begin: int) -> Iterator[bytes]:
    held = ""
    for start in range(begin, len(url), _LETTERS):
        held += "".join(url[start : start + _LETTERS].split()).replace("-", "+").replace("_", "/")
        whole = len(held) - len(held) % 4
        if start + _LETTERS >= len(url):
            held += "=" * (-len(held) % 4)
            whole = len(held)
        try:
            yield b64decode(held[:whole], validate=True)
        except Error as error:
            raise ValueError(f"These are not base64 letters: {error}.") from None
        held = held[whole:]


async def as_data_url(files: Files, kept: Kept, most: int) -> str:
    """A kept file of `most` bytes at most, as one string. Raises HearthError `unknown_file`, `file_too_large`."""
    file = await files.of(kept)
    if file.size > most:
        raise HearthError("file_too_large", f"{file.name} has more than {most} bytes, which no data URL holds.")
    content = b"".join([piece async for piece in files.read(file)])
    return f"data:{file.content_type};base64,{b64encode(content).decode()}"
