"""One run of one prompt: its states and the legal moves between them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from engines.base import Prompt
from gateway.events import Accepted, Canceled, Event, Failed, Finished, Progress


class State(StrEnum):
    """Where a run stands. The last three are final."""

    QUEUED = "queued"
    BOOTING = "booting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return not MOVES[self]


MOVES: Final[Mapping[State, frozenset[State]]] = {
    State.QUEUED: frozenset({State.BOOTING, State.RUNNING, State.FAILED, State.CANCELED}),
    State.BOOTING: frozenset({State.RUNNING, State.FAILED, State.CANCELED}),
    State.RUNNING: frozenset({State.FINISHED, State.FAILED, State.CANCELED}),
    State.FINISHED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}


def state_after(state: State, event: Event) -> State:
    """Where a run stands after this event of its log."""
    match event:
        case Progress(stage) if state is State.QUEUED and stage != "queued":
            return State.BOOTING
        case Accepted():
            return State.RUNNING
        case Finished():
            return State.FINISHED
        case Failed():
            return State.FAILED
        case Canceled():
            return State.CANCELED
    return state


class IllegalMove(Exception):
    """A run was moved in a way that the table does not know: a fault of the program."""


class Shared(msgspec.Struct, frozen=True):
    """A run that answers everybody who asks the same: by what name, and for how many seconds its answer is kept."""

    key: str
    ttl_s: float


class Generation(msgspec.Struct, kw_only=True):
    """One run: what was asked of which model, by whom, since when (unix seconds), and where it stands."""

    id: str
    owner: str
    model: str
    prompt: Prompt
    created: float
    grace: float | None = 0.0
    """Seconds it may go on with nobody reading; None for as long as it takes."""
    surface: str = ""
    key: str = "local"
    """The id of the key that began it, and pays for it."""
    shared: Shared | None = None
    """Set on a run that others may follow, or be given the answer of."""
    remote: bool = False
    """Whether it is written over HTTP by its owner, and by no engine."""
    asked: dict[str, Any] | None = None
    """What its caller wrote, for a surface that shows it again."""
    kept_s: float | None = None
    """Seconds that its log is kept after its end; None: as all are."""
    deadline: float | None = None
    """When it is stopped at the latest (unix seconds)."""
    versions: tuple[str, ...] = ()
    """What engines may answer, by the versions that their traits tell; none: any may."""
    state: State = State.QUEUED
    started: float | None = None
    """When an engine took it (unix seconds), where it runs in this process."""

    @property
    def weight(self) -> int:
        """Bytes of all that was asked."""
        return len(msgspec.msgpack.encode((self.prompt, self.asked)))

    def move(self, to: State) -> None:
        """Go to another state. Raises IllegalMove."""
        if to not in MOVES[self.state]:
            raise IllegalMove(f"{self.id}: {self.state} -> {to}")
        self.state = to


def new_id(prefix: str) -> str:
    """An unguessable name of 128 bits, safe in URLs and headers.

    Drawn from the system, never from `random`: engines seed that.
    """
    return f"{prefix}_{secrets.token_hex(16)}"
