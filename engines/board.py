"""What replicas tell each other of their engines, and who of them has the say over one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from engines.base import State

Role = Literal["boot", "keep"]
"""What only one replica does for an engine at a time: bring it up, or watch over its warmth."""


Calls = Literal["let through", "kept away", "one to probe"]
"""What an engine's circuit breaker does with them: it is closed, open or half open."""


class Away(Exception):
    """What is shared cannot be reached just now; says why, with no secret in it."""


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody wants of a model, in all replicas."""

    at: float
    """When it was given (unix seconds): of two, the later one holds."""
    act: Literal["warm", "cool"]
    drain_s: float = 0.0
    """How long callers may keep an engine from being stopped."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one replica knows of an engine. Times are unix seconds."""

    model: str
    state: State
    stage: str
    since: float
    """Since when it is in this state."""
    heard_at: float = 0.0
    """When it last gave anything to a caller; 0 for never."""
    asked_at: float = 0.0
    """When a caller last asked it for anything; 0 for never."""
    beat_at: float = 0.0
    """When it last passed a heartbeat; 0 for never."""
    running: int = 0
    outstanding: int = 0
    """Tokens that it still owes to callers of this replica, as far as they can be guessed."""
    tokens_per_s: float = 0.0
    """What it gave to callers of this replica lately."""
    boots: int = 0
    boot_s: float | None = None
    """How long its last boot took."""
    ready_s: float | None = None
    """Seconds until it is likely warm; None where that is not known."""
    stopped_at: float = 0.0
    """When this replica last stopped it on purpose; 0 for never."""
    beats: int = 0
    beat_s: float = 0.0
    """How long its heartbeats have taken in all."""
    alarm: str | None = None
    """Why heartbeats fail or, where it is to be warm, boots; None while they do not."""
    failures: int = 0
    """Boots and heartbeats that failed in a row, as far as this replica knows."""
    missed: int = 0
    """Of these, the heartbeats since it was warm."""
    failed_at: float = 0.0
    """When the last of them did; 0 for never."""
    next_at: float | None = None
    """When its keeper will next do something to it by itself."""
    next_why: str = ""
    cooled_at: float = 0.0
    """When somebody had it stopped; 0 for never, and once it was booted again."""
    boot_estimate_s: float | None = None
    """How long a boot of it takes."""
    waiting: int = 0
    """How many wait for any engine of its model; told by the model's first engine alone."""
    breaker: Calls = "let through"
    order: Order | None = None
    """What was wanted of its model by way of this replica, lately."""


Seen = Mapping[str, Mapping[str, Sighting]]
"""By engine, and then by replica."""


class Board(Protocol):
    """Where replicas tell each other of their engines. An engine of one replica alone has its name in its own."""

    @property
    def replica(self) -> str:
        """This process' name among the replicas."""

    async def exchange(self, told: Mapping[str, Sighting]) -> Seen:
        """Tell what this replica knows of every engine; learn what all do who told theirs lately, this one included.

        What is told replaces what this replica told before, and is forgotten when it tells nothing for a while.
        Raises Away.
        """

    async def lead(self, engine: str, role: Role, seconds: float) -> bool:
        """Take the say over an engine, or keep it, for so long from now; whether it is this replica's. Raises Away."""

    async def resign(self, engine: str, role: Role) -> None:
        """Give the say up, if it is this replica's; another may take it at once. Raises Away."""

    async def close(self) -> None:
        """Tell that this replica is gone, and let go of the connections. Raises nothing."""


class MemoryBoard:
    """The board of a server by itself."""

    def __init__(self, replica: str) -> None:
        self.replica = replica

    async def exchange(self, told: Mapping[str, Sighting]) -> Seen:
        return {engine: {self.replica: sighting} for engine, sighting in told.items()}

    async def lead(self, engine: str, role: Role, seconds: float) -> bool:
        return True

    async def resign(self, engine: str, role: Role) -> None: ...

    async def close(self) -> None: ...
