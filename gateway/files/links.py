"""Addresses of files that need no key: whoever has one may read that file, until it is over. Pure.

Models' outputs are given out so, as the clients fetch them without their key.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

_FOR: Final = b"hearth file 1\n"
"""Signed along, so that nothing else that is ever signed with the same seal passes for a link."""


class Link(NamedTuple):
    """What is signed: which file of whom, and until when (whole unix seconds)."""

    owner: str
    id: str
    expiry: int


def sign(link: Link, seal: bytes) -> str:
    """The signature of a link, as text that may stand in an address."""
    words = f"{link.owner} {link.id} {link.expiry}".encode()
    return urlsafe_b64encode(hmac.digest(seal, _FOR + words, hashlib.sha256)).rstrip(b"=").decode()


def check(owner: str, id: str, expiry: str, signature: str, seal: bytes, now: float) -> Link | None:
    """The link that these words of an address are, if it was signed with this seal and is good at that time."""
    if not (expiry.isascii() and expiry.isdecimal() and len(expiry) <= 12):
        return None
    link = Link(owner, id, int(expiry))
    # As bytes: text of other letters than ASCII cannot be compared.
    same = hmac.compare_digest(signature.encode(), sign(link, seal).encode())
    return link if same and now < link.expiry else None


def download(address: str, link: Link, seal: bytes) -> str:
    """Where a file is fetched, as Replicate writes it; `address` is what all of our addresses begin with."""
    query = urlencode({"owner": link.owner, "expiry": link.expiry, "signature": sign(link, seal)})
    return f"{address}/files/{link.id}/download?{query}"


def named(address: str, link: Link, seal: bytes, name: str) -> str:
    """Where a file is fetched, as an address that ends in its name."""
    return f"{address}/files/{link.id}/{link.owner}.{link.expiry}.{sign(link, seal)}/{quote(name, safe='')}"
