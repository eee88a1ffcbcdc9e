"""Names and types of files as others wrote them, made harmless. Pure."""

from __future__ import annotations

import re
from typing import Final

UNKNOWN: Final = "application/octet-stream"

_MOST_BYTES: Final = 255
_MOST_OF_ENDING: Final = 32
_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;\s*[\w.+-]+=(?:[\w.+-]+|\"[ !#-\[\]-~]*\"))*", re.ASCII)
_DRAWN: Final = ("image/", "audio/", "video/", "application/pdf", "text/plain")
_ACTIVE: Final = ("image/svg",)
"""Images that may bring programs."""


def plain_name(written: str) -> str:
    """The last part of a path, of visible letters and at most 255 bytes of UTF-8; its ending stays."""
    last = re.split(r"[/\\]", written)[-1]
    name = "".join(letter for letter in last if letter.isprintable() and letter != "\ufffd").strip()
    if not name.strip("."):
        return "file"
    if len(name.encode()) <= _MOST_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    tail = dot + ending if stem and len(ending.encode()) <= _MOST_OF_ENDING else ""
    return name.encode()[: _MOST_BYTES - len(tail.encode())].decode(errors="ignore") + tail


def plain_type(written: str | None) -> str:
    """A content type that may stand in a header; one that is none tells nothing of the file."""
    return written if written and len(written) <= _MOST_BYTES and _TYPE.fullmatch(written) else UNKNOWN


def is_shown(content_type: str) -> bool:
    """Whether a browser may draw such a file by itself: never what could run in it."""
    small = content_type.lower()
    return small.startswith(_DRAWN) and not small.startswith(_ACTIVE)
