"""A new key, with the secret that only its owner will have."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gateway.keyring import secret
from gateway.keyring.base import Keyring
from gateway.keys import Key


class Issued(NamedTuple):
    """A key that is kept, and its secret, which is shown now or never."""

    key: Key
    secret: str


async def issue(keyring: Keyring, key: Key) -> Issued:
    """Keep the key under a fresh secret. Raises HearthError `state_unavailable`."""
    fresh = secret.fresh()
    key = msgspec.structs.replace(key, hint=secret.hint(fresh))
    await keyring.add(key, secret.digest(fresh))
    return Issued(key, fresh)
