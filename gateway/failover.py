"""Which engines have failed a run, and whether another one may go on with it."""

from __future__ import annotations

from typing import Final

from engines.base import State
from engines.errors import FAULTS, EngineError
from engines.model import Model
from engines.seat import Seat

_GONE: Final = ("engine_died", "engine_unreachable")
"""What an engine fails with that is not there any more, and may be again after its next boot."""


class Failover:
    """One run's failures. At most `most_deaths` engines may die under it: it may be what kills them."""

    def __init__(self, model: Model, most_deaths: int = 2) -> None:
        self.avoid: dict[Seat, int] = {}
        """Engines that are not asked again, each with its boot that failed."""
        self.deaths = 0
        self._model = model
        self._most_deaths = most_deaths
        self._suspects: dict[Seat, int] = {}
        """Engines that failed, each with its boot, where it may have been the prompt's fault."""
        self.first: EngineError | None = None
        """What failed it first: what its caller is told where nobody goes on."""

    def failed(self, seat: Seat, boot: int, error: EngineError, begun: Seat | None = None) -> None:
        """Note that an engine failed the run. Raises the error that ends it, where nobody can go on.

        Where the answer has `begun`, only engines that would give the same one can: those of the same version.
        """
        if error.code == "cannot_continue":
            raise self.end(error)
        if error.code not in FAULTS:
            raise error
        self.first = self.first or error
        self.avoid[seat] = boot
        if error.code == "engine_failed":
            self._suspects[seat] = boot
        if begun is not None:
            version = begun.engine.traits.version
            for other in self._model.seats:
                if other.engine.traits.version not in (None, version):
                    self.avoid[other] = other.boots
        if error.code in _GONE:
            self.deaths += 1
            if self.deaths <= self._most_deaths:
                # It is booted again, if nobody else is there.
                return
        if error.code in _GONE or not any(map(self._may_help, self._model.seats)):
            raise error

    def answered(self) -> None:
        """Another engine has answered: it was not the prompt's fault."""
        for seat, boot in self._suspects.items():
            if seat.boots == boot:
                seat.blame()

    def unfit(self, seat: Seat, why: EngineError) -> None:
        """Note that an engine would not give the answer that is wanted. Raises that error where none is left."""
        self.avoid[seat] = seat.boots
        if not any(map(self._may_help, self._model.seats)):
            raise self.end(why)

    def end(self, error: EngineError) -> EngineError:
        """What its caller is told where this keeps everybody from going on: what failed it first, and that."""
        first = self.first
        if first is None:
            return error
        return EngineError(first.code, f"{first.message} {error.message}", retry_after_s=first.retry_after_s)

    def _may_help(self, seat: Seat) -> bool:
        if seat.state is State.BROKEN or self.avoid.get(seat) == seat.boots:
            return False
        return seat.state is not State.WARM or not seat.wait_s
