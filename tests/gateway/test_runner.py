"""One generation, from its first event to its one end, whatever happens in between."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from engines.base import Accepted, Delta, Prompt
from engines.errors import EngineError
from gateway import abandonment
from gateway.admission import Gates
from gateway.errors import HearthError
from gateway.events import Canceled, Failed, Finished, Opened, Progress, Timings, Usage, is_terminal
from gateway.generation import State
from gateway.limits.memory import MemoryLimiter
from gateway.log.base import Retention
from gateway.runner import Runner
from tests.gateway.limits.asking import a_gate
from tests.gateway.puppet import ACCEPTED, LAST, Puppet, Stage, ended, events, staged, word
from tests.turning import Turned
from tests.waiting import until


async def test_a_log_holds_all_that_the_engine_said_between_opened_and_finished() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        id = call.generation.id
        stage.puppet.says(id, ACCEPTED, word("a"), word("b"))
        await until(lambda: log.tail == 4)
        stage.clock.turn(2)
        stage.puppet.says(id, LAST, None)
        end = await ended(log)
        opened, booting, *said = events(log)
        assert opened == Opened(id, "demo", call.created)
        assert booting == Progress("booting", "starting")
        assert said == [ACCEPTED, word("a"), word("b"), LAST, end]
        assert end == Finished("stop", Usage(5, 3, 2), Timings(0.0, 0.0, 2.0))
        assert call.generation.state is State.FINISHED


async def test_a_call_whose_model_is_warm_waits_for_nothing() -> None:
    async with staged() as stage:
        stage.gateway.pool.warm("demo")
        await until(lambda: stage.gateway.pool.seats["demo"].state == "warm")
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED, LAST, None)
        await ended(log)
        assert not [event for event in events(log) if isinstance(event, Progress)]


@pytest.mark.parametrize("steps", [[], [ACCEPTED], [ACCEPTED, word("a"), word("b")]])
async def test_what_is_stopped_ends_as_canceled_and_is_aborted_in_the_engine(steps: list[Delta]) -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        id = call.generation.id
        stage.puppet.says(id, *steps)
        await until(lambda: stage.puppet.running == 1 and log.tail == 1 + len(steps))
        generation = await stage.gateway.cancel(id, "ann")
        assert (stage.puppet.running, stage.puppet.closed) == (0, [id])
        end = events(log)[-1]
        assert isinstance(end, Canceled)
        assert end.by == "caller"
        assert end.usage.completion_tokens == max(0, len(steps) - 1)
        assert generation.state is State.CANCELED


async def test_what_is_stopped_while_the_model_boots_leaves_the_boot_alone() -> None:
    async with staged(Puppet(booted=False)) as stage:
        call, log = await stage.ask()
        await until(lambda: log.tail == 1)
        await stage.gateway.cancel(call.generation.id, "ann")
        assert isinstance(events(log)[-1], Canceled)
        stage.puppet.boots.set()
        await until(lambda: stage.gateway.pool.seats["demo"].state == "warm")
        assert stage.puppet.starts == 1
        assert stage.puppet.closed == []


async def test_what_is_stopped_before_its_task_began_still_has_a_beginning_and_an_end() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        generation = await stage.gateway.cancel(call.generation.id, "ann")
        first, last = events(log)
        assert isinstance(first, Opened)
        assert isinstance(last, Canceled)
        assert generation.state is State.CANCELED
        assert stage.puppet.closed == []


@pytest.mark.parametrize("code", ["invalid_request", "context_length_exceeded", "engine_failed", "cannot_continue"])
async def test_what_the_engine_refuses_is_told_in_its_own_words(code: str) -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, EngineError(code, "No.", parameter="n"))  # type: ignore[arg-type]
        end = await ended(log)
        assert isinstance(end, Failed)
        assert (end.code, end.message, end.parameter) == (code, "No.", "n")
        assert call.generation.state is State.FAILED


async def test_what_breaks_by_a_fault_of_ours_tells_none_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED, word("a"), ZeroDivisionError("secret"))
        end = await ended(log)
        assert isinstance(end, Failed)
        assert end.code == "internal_error"
        assert "secret" not in end.message
        assert "secret" in caplog.text


async def test_an_engine_that_counts_below_nothing_is_billed_as_nothing() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, Accepted(-7, -2), word("a"), LAST, None)
        end = await ended(log)
        assert isinstance(end, Finished)
        assert end.usage == Usage(0, 2, 0)
        await until(lambda: stage.gateway.running == 0)


async def test_an_engine_that_ends_before_its_answer_did_has_failed() -> None:
    async with staged() as stage:
        prompt = Prompt(texts=("once",), parameters={"n": 2})
        call, log = await stage.ask(prompt)
        stage.puppet.says(call.generation.id, ACCEPTED, LAST, None)
        end = await ended(log)
        assert isinstance(end, Failed)
        assert end.code == "engine_failed"


async def test_an_answer_that_outgrows_its_log_fails_and_frees_the_engine() -> None:
    async with staged(retention=Retention(log_bytes=5000)) as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED, *[word("x" * 100)] * 100)
        end = await ended(log)
        assert isinstance(end, Failed)
        assert end.code == "log_full"
        assert stage.puppet.running == 0


async def test_a_runner_whose_log_was_taken_writes_nothing_more_and_frees_the_engine() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        id = call.generation.id
        stage.puppet.says(id, ACCEPTED, word("a"))
        await until(lambda: log.tail == 3)
        await stage.logs.take(id)
        stage.puppet.says(id, word("late"))
        await until(lambda: stage.gateway.running == 0)
        assert log.tail == 3
        assert stage.puppet.running == 0


async def test_of_two_ends_in_one_moment_there_is_one() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        id = call.generation.id
        stage.puppet.says(id, ACCEPTED)
        await until(lambda: log.tail == 2)
        running = stage.gateway._runs._runners[id]
        stage.puppet.says(id, LAST, None)
        running.stop("caller")
        running.fail(HearthError("engine_stalled"))
        running.stop("shutdown")
        end = await ended(log)
        assert isinstance(end, Canceled)
        assert end.by == "caller"
        running.stop("shutdown")
        await asyncio.sleep(0)
        assert [event for event in events(log) if is_terminal(event)] == [end]


@pytest.mark.parametrize("moment", range(8))
async def test_a_stop_that_races_the_end_leaves_one_end_and_a_free_engine(moment: int) -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        id = call.generation.id
        await until(lambda: stage.puppet.running == 1)
        stage.puppet.says(id, ACCEPTED, word("a"), LAST, None)
        for _ in range(moment):
            await asyncio.sleep(0)
        await stage.gateway.cancel(id, "ann")
        assert len([event for event in events(log) if is_terminal(event)]) == 1
        assert log.ended
        assert (stage.puppet.running, stage.gateway.running) == (0, 0)


# With nobody reading


async def abandoned(stage: Stage, grace: float | None) -> Canceled:
    """How a generation that is read for a moment ends when its reader leaves."""
    call, log = await stage.ask(grace=grace)
    stage.puppet.says(call.generation.id, ACCEPTED, word("a"))
    with stage.gateway.reading(log) as reader:
        await until(lambda: log.tail == 3)
        reader.take()
    end = await ended_unread(stage)
    assert isinstance(end, Canceled)
    return end


async def ended_unread(stage: Stage) -> object:
    """The end of the one generation, waited for without reading it."""
    [log] = stage.logs.held
    await until(lambda: log.ended)
    return events(log)[-1]


@pytest.mark.parametrize("grace", [0.0, 0.02])
async def test_the_last_reader_out_ends_what_needs_readers(grace: float) -> None:
    async with staged() as stage:
        assert (await abandoned(stage, grace)).by == "abandoned"
        assert stage.puppet.running == 0


async def test_a_reader_who_comes_back_within_the_grace_finds_it_running() -> None:
    async with staged() as stage:
        call, log = await stage.ask(grace=60)
        id = call.generation.id
        for _ in range(3):
            with stage.gateway.reading(log):
                await until(lambda: stage.puppet.running == 1)
        timer = stage.gateway._runs._runners[id]._abandonment.timer
        assert timer is not None
        with stage.gateway.reading(log):
            assert timer.cancelled()
            stage.puppet.says(id, ACCEPTED, LAST, None)
            assert isinstance(await ended(log), Finished)


async def test_one_reader_of_two_may_leave() -> None:
    async with staged() as stage:
        call, log = await stage.ask(grace=0)
        with stage.gateway.reading(log):
            with stage.gateway.reading(log):
                await until(lambda: stage.puppet.running == 1)
            stage.puppet.says(call.generation.id, ACCEPTED, LAST, None)
            await until(lambda: log.ended)
        assert isinstance(events(log)[-1], Finished)


async def test_what_nobody_ever_reads_is_stopped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abandonment, "FIRST_READER_S", 0.01)
    async with staged() as stage:
        await stage.ask(grace=0)
        end = await ended_unread(stage)
        assert isinstance(end, Canceled)
        assert end.by == "abandoned"


async def test_what_needs_no_reader_runs_to_its_end() -> None:
    async with staged() as stage:
        call, log = await stage.ask(grace=None)
        with stage.gateway.reading(log):
            await until(lambda: stage.puppet.running == 1)
        assert stage.gateway._runs._runners[call.generation.id]._abandonment.timer is None
        stage.puppet.says(call.generation.id, ACCEPTED, LAST, None)
        assert isinstance(await ended_unread(stage), Finished)


async def test_a_log_that_ended_holds_nothing_of_its_runner() -> None:
    async with staged() as stage:
        call, log = await stage.ask(grace=60)
        stage.puppet.says(call.generation.id, ACCEPTED, LAST, None)
        await ended(log)
        await until(lambda: stage.gateway.running == 0)
        assert getattr(log.on_readers, "__self__", None) is None


async def test_a_run_that_ended_is_let_go_of_without_a_search_for_garbage() -> None:
    """Its log would be held as long."""
    clock = Turned()
    async with staged(gate=Gates([a_gate(MemoryLimiter(clock), clock)])) as stage:
        call, log = await stage.ask(grace=60)
        [run] = [
            weakref.ref(each) for each in gc.get_objects() if type(each) is Runner and each.generation is log.generation
        ]
        stage.puppet.says(call.generation.id, ACCEPTED, LAST, None)
        gc.disable()
        try:
            await ended(log)
            await until(lambda: stage.gateway.running == 0)
            await until(lambda: run() is None)
        finally:
            gc.enable()
