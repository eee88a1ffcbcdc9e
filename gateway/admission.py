"""What one run may use, and what it owes: settled before it begins, and once more when it has ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final, Literal, NamedTuple, Protocol

from gateway.errors import HearthError
from gateway.events import Canceled, Terminal, Timings, Usage
from gateway.generation import Generation
from gateway.keys import Key


class Outcome(NamedTuple):
    """How a run ended, and for how many seconds an engine worked for it."""

    terminal: Terminal
    seconds: float


class Spared(NamedTuple):
    """An answer that was given without a run of its own: another one's, finished before (hit) or shared (join)."""

    key: Key
    model: str
    how: Literal["hit", "join"]
    usage: Usage
    seconds: float
    """For how long an engine worked for the run that gave it."""


class Admission(Protocol):
    """One run's place and its reservations."""

    headers: Mapping[str, str]
    """What the caller is told with the answer."""
    on_stop: Callable[[HearthError], None]
    """Called when the run may not go on, with what its readers are told."""

    def turn(self) -> AsyncGenerator[str]:
        """Wait until the run may begin; yields what it waits for, at once and when that changes."""

    async def close(self, outcome: Outcome | None) -> None:
        """Give back what was not used, and note what was. Called once, whatever became of the run.

        None leaves the books as they are: another replica goes on with the run, and settles it.
        """


class Gate(Protocol):
    """Lets calls and runs in. Every call enters; only those that need a run of their own are admitted."""

    async def enter(self, key: Key, model: str) -> Mapping[str, str]:
        """Count a call; the headers of its answer. Raises HearthError `rate_limited`."""

    async def admit(self, generation: Generation, key: Key) -> Admission:
        """Reserve what a run may use at most.

        Raises HearthError `rate_limited`, `budget_exceeded`, `model_busy`, `state_unavailable`.
        """

    async def inherit(self, generation: Generation) -> Admission:
        """The admission of a run that another replica let in. Never refuses."""

    def spared(self, spared: Spared) -> None:
        """Note an answer that needed no run."""

    async def tick(self) -> None:
        """Renew what runs hold; called every second."""

    async def close(self) -> None:
        """Write down what is not written yet, and let go of stores."""


NEVER_BEGAN: Final = Outcome(Canceled("shutdown", Usage(), Timings()), 0.0)
"""Of a run that was admitted, and then could not begin."""


class Gates:
    """Several gates, one behind the other; none of them is an open door."""

    def __init__(self, gates: Sequence[Gate] = ()) -> None:
        self._gates = gates

    async def enter(self, key: Key, model: str) -> Mapping[str, str]:
        headers: dict[str, str] = {}
        for gate in self._gates:
            headers |= await gate.enter(key, model)
        return headers

    async def admit(self, generation: Generation, key: Key) -> Admission:
        admitted: list[Admission] = []
        try:
            for gate in self._gates:
                admitted.append(await gate.admit(generation, key))
        except BaseException:
            for admission in reversed(admitted):
                await admission.close(NEVER_BEGAN)
            raise
        return _Admitted(admitted)

    async def inherit(self, generation: Generation) -> Admission:
        return _Admitted([await gate.inherit(generation) for gate in self._gates])

    def spared(self, spared: Spared) -> None:
        for gate in self._gates:
            gate.spared(spared)

    async def tick(self) -> None:
        for gate in self._gates:
            await gate.tick()

    async def close(self) -> None:
        for gate in self._gates:
            await gate.close()


class _Admitted:
    """What several gates let in."""

    def __init__(self, admitted: Sequence[Admission]) -> None:
        self._admitted = admitted
        self.headers: Mapping[str, str] = {name: value for each in admitted for name, value in each.headers.items()}

    @property
    def on_stop(self) -> Callable[[HearthError], None]:
        raise AttributeError("it is set, and called by those inside")

    @on_stop.setter
    def on_stop(self, stop: Callable[[HearthError], None]) -> None:
        for each in self._admitted:
            each.on_stop = stop

    async def turn(self) -> AsyncGenerator[str]:
        for each in self._admitted:
            async with aclosing(each.turn()) as waiting:
                async for told in waiting:
                    yield told

    async def close(self, outcome: Outcome | None) -> None:
        for each in reversed(self._admitted):
            await each.close(outcome)


FREE: Final[Admission] = _Admitted(())
"""Of a run that needs no engine."""
