"""One caller's ask. Several calls may follow one generation; each has its own id and time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.generation import Generation
from gateway.keys import Key

How = Literal["run", "hit", "join"]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller asked for on one surface, and the generation that answers it (unix seconds)."""

    id: str
    key: Key
    surface: str
    created: float
    generation: Generation
    how: How = "run"
    """Whether a run of its own answers it, one that had ended before it came, or another one's that it follows."""
    headers: Mapping[str, str] = {}
    """What its answer says beside the answer."""
    replayed: bool = False
    """Whether an earlier call with the same idempotency key began the generation; id and time are that call's."""
