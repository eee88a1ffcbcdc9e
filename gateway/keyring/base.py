"""All keys there are: what a store of them promises."""

from __future__ import annotations

from typing import Protocol

from gateway.keys import Key


class Keyring(Protocol):
    """The store of all keys, revoked and expired ones too. It never sees a secret, only its digest.

    Every call raises HearthError `state_unavailable` when the store cannot be reached.
    """

    async def add(self, key: Key, digest: str) -> None:
        """Keep a new key, found by that digest from now on."""

    async def find(self, digest: str) -> Key | None:
        """The key whose secret has that digest."""

    async def get(self, id: str) -> Key | None:
        """The key of that id."""

    async def all(self) -> list[Key]:
        """Every key, the oldest first."""

    async def revoke(self, id: str, now: float) -> Key | None:
        """End a key at that time (unix seconds) and give it as it is now; one that was revoked before stays as it is.

        None when there is no such key.
        """

    async def configured(self) -> bool:
        """Whether a key was ever added."""

    async def seal(self) -> bytes:
        """Random bytes that sign tickets: made by whoever asks first, and the same for everybody afterwards."""

    async def close(self) -> None:
        """Let go of whatever the store holds."""
