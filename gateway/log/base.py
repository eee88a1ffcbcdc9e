"""What a store of logs promises, wherever it keeps them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Container, Sequence
from typing import Final, NamedTuple, Protocol

from gateway.errors import HearthError
from gateway.events import Event
from gateway.generation import Generation
from gateway.log.local import Log

_WRITTEN: Final = re.compile(r"([a-z0-9]{1,16})-(0|[1-9][0-9]{0,14})", re.ASCII)


class Position(NamedTuple):
    """The last event a reader saw. The same epoch and offset always mean the same bytes."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.offset}"

    @classmethod
    def parse(cls, written: str) -> Position:
        """The position that `str` wrote. Raises HearthError `bad_position`."""
        match = _WRITTEN.fullmatch(written)
        if match is None:
            raise HearthError("bad_position")
        return cls(match[1], int(match[2]))


def new_epoch() -> str:
    """A fresh name for one life of a log."""
    return secrets.token_hex(5)


class Fenced(Exception):
    """This writer may append no more: the log has ended, or another writer has taken it. Write nothing, stop."""


class Retention(NamedTuple):
    """How long and how much is kept: seconds after the end, seconds an expired log is remembered, bytes."""

    ended_s: float = 600.0
    remembered_s: float = 86_400.0
    log_bytes: int = 8 << 20
    total_bytes: int = 512 << 20

    def kept_s(self, generation: Generation) -> float:
        """How long that one is kept after its end."""
        return self.ended_s if generation.kept_s is None else generation.kept_s


def new_log(generation: Generation, retention: Retention) -> Log:
    """An empty log. Raises HearthError `body_too_large` where what was asked is more than one generation may hold."""
    log = Log(generation, new_epoch())
    if log.size > retention.log_bytes:
        raise HearthError("body_too_large", f"Prompt and input may have {retention.log_bytes} bytes together.")
    return log


class Writer(Protocol):
    """The one who may append to a log."""

    @property
    def log(self) -> Log: ...

    on_cancel: Callable[[], None]
    """Called when somebody elsewhere wants the generation stopped."""
    on_fenced: Callable[[], None]
    """Called when another writer has taken the log, should that be known before the next append."""
    cancelled: bool
    """Whether somebody wanted it stopped before this writer took it."""

    def stage(self, *events: Event) -> None:
        """Have events appended soon, in order, without waiting for it. Raises as `append`, as far as is known now."""

    async def append(self, *events: Event) -> None:
        """Add events at the tail and wake the readers, all of it or nothing.

        Raises Fenced when the log has ended or was taken; HearthError `log_full` when its cap is reached (a terminal
        event always fits). The first terminal event wins and closes the log.
        """


class Logs(Protocol):
    """The store of all logs."""

    @property
    def shared(self) -> bool:
        """Whether other replicas have these logs too."""

    @property
    def trouble(self) -> str | None:
        """What is wrong with the store, in words; None when nothing is."""

    async def start(self) -> None:
        """Begin whatever the store has to do by itself."""

    async def close(self) -> None:
        """End it."""

    async def create(self, generation: Generation, *events: Event) -> Writer:
        """Begin a log of these events with a new epoch.

        An ended one of that id makes room. Raises Fenced if one runs; HearthError `body_too_large`, `log_unavailable`.
        Whoever is cancelled in it leaves no running log behind.
        """

    async def take(self, id: str) -> Writer:
        """Become the writer of a running log; the one before is fenced off. Raises as `open`, and Fenced if ended."""

    async def open(self, id: str, owner: str, after: Position | None = None) -> Log:
        """The log of that generation, up to this position at least where the log has it.

        Raises HearthError `unknown_generation` (also when the log is somebody else's), `expired`, `log_unavailable`.
        """

    async def look(self, id: str, owner: str) -> Log:
        """That log as it is now; it may not grow any more. Raises as `open`."""

    async def cancel(self, id: str) -> None:
        """Tell the writer of a log, wherever it is, that the generation is to stop. Nothing happens when it ended."""

    async def followed(self, writer: Writer) -> bool | None:
        """Whether anybody reads this log elsewhere; None when that cannot be known."""

    async def let_go(self, writer: Writer) -> None:
        """Give a running log up, for another replica to take; its readers here go on with what that one writes."""

    async def orphans(self, models: Container[str]) -> Sequence[Writer]:
        """Wait a while, then take running logs of these models whose writers are gone.

        Of several replicas that try, one gets each. A log whose model nobody serves goes to any of them, to end it.
        """

    async def sweep(self) -> None:
        """Let go of what need not be kept any longer; called every few seconds."""


def check(log: Log, after: Position | None) -> int:
    """The offset that a reader with this position goes on from.

    Raises HearthError `epoch_mismatch`, `trimmed` or `past_the_end`, each with the epoch, the earliest and the newest
    offset, so that the reader can decide what to do.
    """
    if after is None:
        return log.first
    code = None
    if after.epoch != log.epoch and after.offset > log.past.get(after.epoch, -1):
        code = "epoch_mismatch"
    elif after.offset > log.tail:
        code = "past_the_end"
    elif after.offset + 1 < log.first:
        code = "trimmed"
    if code is not None:
        raise HearthError(code, epoch=log.epoch, earliest=log.first, tail=log.tail)
    return after.offset + 1
