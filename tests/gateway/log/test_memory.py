"""The store in memory keeps the contract, and gives its memory back."""

from __future__ import annotations

import pytest

from gateway.log.base import Retention
from gateway.log.memory import MemoryLogs
from tests.gateway.log.contract import (
    FINISHED,
    Bench,
    LogContract,
    MakeBench,
    a_generation,
    append,
    pass_time,
    pieces,
)
from tests.turning import Turned


class TestMemoryLogs(LogContract):
    @pytest.fixture
    def bench(self) -> MakeBench:
        async def make(retention: Retention) -> Bench:
            clock = Turned()
            logs = MemoryLogs(clock, retention)
            return Bench(logs, logs, clock.turn)

        return make

    async def test_what_is_let_go_of_is_gone(self) -> None:
        clock = Turned()
        logs = MemoryLogs(clock, Retention(ended_s=10, remembered_s=100))
        bench = Bench(logs, logs, clock.turn)
        for _ in range(50):
            await append(await logs.create(a_generation()), [*pieces(10), FINISHED])
        assert len(logs.held) == 50
        assert logs.size > 0
        assert logs.running == []
        await pass_time(bench, 11)
        assert (logs.held, logs.size, len(logs._gone)) == ([], 0, 50)
        await pass_time(bench, 101)
        assert len(logs._gone) == 0

    async def test_a_prompt_counts_too(self) -> None:
        logs = MemoryLogs(Turned())
        generation = a_generation()
        generation.prompt = type(generation.prompt)(texts=("x" * 10_000,))
        await logs.create(generation)
        assert logs.size > 10_000

    async def test_a_reader_finishes_a_log_that_was_let_go_of_meanwhile(self) -> None:
        clock = Turned()
        logs = MemoryLogs(clock, Retention(ended_s=10))
        writer = await logs.create(a_generation())
        await append(writer, [*pieces(3), FINISHED])
        reader = writer.log.read(0)
        await pass_time(Bench(logs, logs, clock.turn), 11)
        assert logs.held == []
        assert reader.take() == [*pieces(3), FINISHED]
