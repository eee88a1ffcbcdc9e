"""One caller's ask. Several calls may follow one generation; each has its own id and time."""

from __future__ import annotations

import msgspec

from gateway.generation import Generation


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller asked for on one surface, and the generation that answers it (unix seconds)."""

    id: str
    owner: str
    surface: str
    created: float
    generation: Generation
    replayed: bool = False
    """Whether an earlier call with the same idempotency key began the generation; id and time are that call's."""
