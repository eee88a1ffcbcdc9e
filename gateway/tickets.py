"""Short-lived signed tickets, for browsers that can send no header with an EventSource or a WebSocket. Pure.

A ticket stands in an address, where logs and histories may keep it. So it is good for a minute, for reading alone, and
no longer than the key that asked for it.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

_FOR: Final = b"hearth ticket 1\n"
"""Signed along, so that nothing else that is ever signed with the same seal passes for a ticket."""


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """What is signed: on whose behalf, until when (unix seconds), and for which one generation, if for one alone."""

    holder: str
    """The id of a key."""
    until: float
    only: str | None = None


def issue(ticket: Ticket, seal: bytes) -> str:
    """The ticket as text that may stand in an address."""
    body = msgspec.msgpack.encode(ticket)
    return f"{_write(body)}.{_write(_sign(body, seal))}"


def check(text: str, seal: bytes, now: float) -> Ticket | None:
    """The ticket that the text is, if it was signed with this seal and is good at that time (unix seconds)."""
    try:
        body, signature = map(_read, text.split("."))
    except ValueError:
        return None
    if not hmac.compare_digest(signature, _sign(body, seal)):
        return None
    ticket = msgspec.msgpack.decode(body, type=Ticket)
    return ticket if now < ticket.until else None


def _sign(body: bytes, seal: bytes) -> bytes:
    return hmac.digest(seal, _FOR + body, hashlib.sha256)


def _write(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _read(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
