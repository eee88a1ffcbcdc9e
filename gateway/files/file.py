"""A file that the server keeps for somebody, and what its id tells. Pure."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b32hexdecode, b32hexencode
from typing import Any, Final, Literal

import msgspec

from engines.base import Kept

Kind = Literal["upload", "output"]
"""Given by a caller, or by a model."""

KINDS: Final[tuple[Kind, ...]] = ("upload", "output")

_LAST_MS: Final = (1 << 48) - 1
_RANDOM: Final = 14
_ID: Final = re.compile("[uo][0-9a-v]{32}")
_OWNER: Final = re.compile("[0-9a-f]{32}")


class File(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file besides its bytes."""

    id: str
    owner: str
    """The mark of the namespace that it belongs to."""
    name: str
    content_type: str
    size: int
    """In bytes."""
    md5: str
    sha256: str
    metadata: dict[str, Any] = {}
    """What its uploader wrote beside it."""
    generation: str | None = None
    """Whose output it is."""

    @property
    def created(self) -> float:
        """In unix seconds."""
        return created(self.id)

    @property
    def kept(self) -> Kept:
        """The file as engines and logs name it: by its owner too, so that it is found without asking for whom."""
        return Kept(f"{self.owner}/{self.id}", self.name, self.content_type, self.size)


def mark(namespace: str) -> str:
    """What stands for a namespace where its name is nobody's business: in addresses and in the store."""
    return hashlib.sha256(b"hearth files of\n" + namespace.encode()).hexdigest()[:32]


def fresh_id(kind: Kind, now: float) -> str:
    """An unguessable name; of two files of a kind, the newer one's comes first in the order of letters."""
    before_the_end = (_LAST_MS - round(now * 1000)).to_bytes(6)
    return kind[0] + b32hexencode(before_the_end + secrets.token_bytes(_RANDOM)).decode().lower()


def is_id(text: str) -> bool:
    """Whether this can be the id of a file."""
    return _ID.fullmatch(text) is not None


def is_mark(text: str) -> bool:
    """Whether this can stand for a namespace."""
    return _OWNER.fullmatch(text) is not None


def kind(id: str) -> Kind:
    """What kind of file has this id."""
    return "upload" if id[0] == "u" else "output"


def created(id: str) -> float:
    """When the file of this id was made (unix seconds)."""
    return (_LAST_MS - int.from_bytes(b32hexdecode(id[1:].upper())[:6])) / 1000


def parted(kept: Kept) -> tuple[str, str] | None:
    """Owner and id of a kept file; None where its name is none that we gave."""
    owner, _, id = kept.id.partition("/")
    return (owner, id) if is_mark(owner) and is_id(id) else None
