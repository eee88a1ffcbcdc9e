"""Whatever befalls the engines of a model, and whenever: each answer is whole, or ends with one error that is true."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.base import Accepted, Chunk, Delta, Prompt, Said
from engines.errors import FAULTS, Code, EngineError
from gateway.events import Failed, Finished, Note, is_terminal
from tests.gateway.puppet import Puppet, ended, events, staged

LENGTH = 12
WHOLE = "".join(f"{at} " for at in range(LENGTH))
FAULT = st.sampled_from(sorted(FAULTS))
GONE = ("engine_died", "engine_unreachable")


class Frail(Puppet):
    """Counts to twelve, from where the answer stood. At the steps that it is given it fails instead."""

    def __init__(self, faults: list[tuple[int, Code]]) -> None:
        super().__init__()
        self._faults = deque(faults)
        self._count = 0

    def _step(self) -> None:
        self._count += 1
        if self._faults and self._count > self._faults[0][0]:
            self._count = 0
            _, code = self._faults.popleft()
            if code in GONE:
                # Whoever watches it sees that it is not there.
                self.dies.set()
            raise EngineError(code, "It was to be.", retry_after_s=5 if code == "engine_busy" else None)

    async def generate(self, id: str, prompt: Prompt, said: tuple[Said, ...] = ()) -> AsyncGenerator[Chunk]:
        self.now.add(id)
        try:
            self._step()
            yield Accepted(3)
            for at in range(len(said[0].tokens) if said else 0, LENGTH):
                await asyncio.sleep(0)
                self._step()
                yield Delta(0, f"{at} ", (at,), finish="stop" if at == LENGTH - 1 else None)
        finally:
            self.now.discard(id)


@given(st.lists(st.lists(st.tuples(st.integers(0, 60), FAULT), max_size=6), min_size=1, max_size=3), st.integers(1, 12))
@settings(deadline=None)
def test_every_answer_is_whole_or_has_failed_for_a_reason(faults: list[list[tuple[int, Code]]], runs: int) -> None:
    asyncio.run(crowd(faults, runs))


async def crowd(faults: list[list[tuple[int, Code]]], runs: int) -> None:
    first, *others = map(Frail, faults)
    deaths = sum(code in GONE for each in faults for _, code in each)
    sound = [] in faults and deaths <= 2
    """Whether one engine never fails, and none is taken for what kills them."""
    async with staged(first, others=others) as stage:
        asked = [await stage.ask() for _ in range(runs)]
        for _, log in asked:
            end = await ended(log)
            told = events(log)
            text = "".join(event.text for event in told if isinstance(event, Delta))
            assert sum(map(is_terminal, told)) == 1
            assert sum(isinstance(event, Accepted) for event in told) <= 1
            if isinstance(end, Finished):
                assert text == WHOLE
                assert end.usage.completion_tokens == LENGTH
            else:
                assert isinstance(end, Failed) and end.code in FAULTS
                assert WHOLE.startswith(text)
                assert not sound
            if not any(faults):
                assert isinstance(end, Finished) and not any(isinstance(event, Note) for event in told)
        seats = stage.gateway.pool.seats.values()
        assert all((seat.held, seat.owed, seat.engine.running) == (0, 0, 0) for seat in seats)
