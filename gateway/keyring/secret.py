"""A key's secret: what its owner sends, and what is kept of it."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

_PREFIX: Final = "hearth_"
_SHAPE: Final = re.compile(rf"{_PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)
_BYTES: Final = 32
_HINT_LETTERS: Final = 4


def fresh() -> str:
    """A new secret of 256 random bits, with a prefix by which scanners for leaked secrets know it."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def fresh_id() -> str:
    """A new key's id."""
    return f"key_{secrets.token_hex(8)}"


def is_one(text: str) -> bool:
    """Whether it could be a secret of ours."""
    return _SHAPE.fullmatch(text) is not None


def digest(secret: str) -> str:
    """What is kept of a secret, and looked for.

    Slow hashes are for what people can remember. Nobody tries 256 random bits one after the other: a quick hash gives
    away as little, and no call has to wait for it.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def hint(secret: str) -> str:
    """Enough of a secret to know it again, and too little to guess the rest."""
    return secret[-_HINT_LETTERS:]
