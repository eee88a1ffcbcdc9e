"""Addresses that let whoever has them in: the stream of one prediction, without a key. Pure."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode
from typing import Final

from gateway.predictions.record import LETTERS

_FOR: Final = b"hearth stream 1\n"
"""Signed along, so that nothing else that is ever signed with the same seal passes for one."""


def write(id: str, seal: bytes) -> str:
    """What stands in the address of that prediction's stream: nobody can guess it."""
    return f"{id}-{_sign(id, seal)}"


def read(written: str, seal: bytes) -> str | None:
    """The prediction whose stream it is; None where this seal never wrote that."""
    id, _, signature = written.partition("-")
    good = len(id) == LETTERS and hmac.compare_digest(signature.encode(), _sign(id, seal).encode())
    return id if good else None


def _sign(id: str, seal: bytes) -> str:
    digest = hmac.digest(seal, _FOR + id.encode(), hashlib.sha256)
    return b32encode(digest[:20]).decode().lower()
