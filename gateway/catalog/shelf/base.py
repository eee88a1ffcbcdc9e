"""What people said of models, and have to find again: what a store of that promises."""

from __future__ import annotations

from typing import Literal, Protocol

Kind = Literal["card", "deployment", "push", "seen"]
"""What is said of a model; a deployment; a version that was pushed; when a version was first seen."""


class Shelf(Protocol):
    """Few and small documents, each of a kind and with an id of its own.

    Every call raises HearthError `state_unavailable` when the store cannot be reached.
    """

    async def all(self, kind: Kind) -> dict[str, bytes]:
        """Every document of a kind, by its id."""

    async def swap(self, kind: Kind, id: str, old: bytes | None, new: bytes | None) -> bool:
        """Put a document in another one's place, if that is still there; whether it was. None stands for none."""

    async def close(self) -> None:
        """Let go of whatever the store holds."""
