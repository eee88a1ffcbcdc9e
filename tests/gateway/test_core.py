"""The door between the surfaces and the rest: starting, reading, stopping, watching over all of it."""

from __future__ import annotations

import asyncio

import pytest

from engines.base import Prompt, Traits
from engines.errors import EngineError
from gateway.core import Deadlines
from gateway.errors import HearthError
from gateway.events import Canceled, Failed, Finished
from gateway.log.base import Position
from tests.gateway.puppet import ACCEPTED, ANN, LAST, Puppet, ended, events, staged, word
from tests.waiting import until

QUICK = Deadlines(watch_s=0.005)
TEXT = Prompt(texts=("once",))


# Starting


async def test_an_unknown_model_is_told_with_the_one_that_was_meant() -> None:
    async with staged() as stage:
        with pytest.raises(HearthError, match="did you mean 'demo'") as told:
            await stage.gateway.start("demoo", TEXT, key=ANN, surface="test")
        assert (told.value.code, told.value.parameter) == ("unknown_model", "model")
        assert stage.logs.held == []


async def test_a_parameter_that_the_model_does_not_take_is_told_by_name() -> None:
    async with staged(Puppet(traits=Traits(parameters=frozenset({"temperature"})))) as stage:
        prompt = Prompt(texts=("once",), parameters={"temprature": 1})
        with pytest.raises(HearthError, match="did you mean 'temperature'") as told:
            await stage.ask(prompt)
        assert (told.value.code, told.value.parameter) == ("invalid_request", "temprature")


async def test_a_model_that_does_not_chat_says_so() -> None:
    async with staged(Puppet(traits=Traits(chat=False))) as stage:
        with pytest.raises(HearthError, match="/v1/completions") as told:
            await stage.ask(Prompt(messages=({"role": "user", "content": "hi"},)))
        assert told.value.parameter == "messages"


async def test_a_model_that_embeds_says_where_to_ask_it() -> None:
    async with staged(Puppet(traits=Traits(chat=False, embeds=True))) as stage:
        with pytest.raises(HearthError, match="/v1/embeddings") as told:
            await stage.ask(Prompt(messages=({"role": "user", "content": "hi"},)))
        assert told.value.parameter == "model"


async def test_more_than_may_run_at_once_is_refused_and_may_be_tried_again() -> None:
    async with staged(deadlines=Deadlines(running=2)) as stage:
        first, log = await stage.ask()
        await stage.ask()
        with pytest.raises(HearthError, match="overloaded") as told:
            await stage.ask()
        assert told.value.row.may_retry
        stage.puppet.says(first.generation.id, ACCEPTED, LAST, None)
        await ended(log)
        await until(lambda: stage.gateway.running == 1)
        await stage.ask()


# Settling


async def test_a_refusal_is_told_while_the_status_can_still_say_it() -> None:
    async with staged() as stage:
        stage.gateway.pool.warm("demo")
        await until(lambda: stage.gateway.pool.seats["demo"].state == "warm")
        call, log = await stage.ask(grace=0)
        stage.puppet.says(call.generation.id, EngineError("context_length_exceeded", "Too long."))
        with stage.gateway.reading(log) as reader, pytest.raises(HearthError, match="Too long"):
            await stage.gateway.settle(reader, 5)


@pytest.mark.parametrize("puppet", [Puppet(), Puppet(booted=False)])
async def test_what_is_accepted_or_booting_is_settled_and_nothing_of_it_is_lost(puppet: Puppet) -> None:
    puppet.boots = asyncio.Event()
    async with staged(puppet) as stage:
        call, log = await stage.ask(grace=0)
        with stage.gateway.reading(log) as reader:
            await stage.gateway.settle(reader, 5)
            puppet.boots.set()
            stage.puppet.says(call.generation.id, ACCEPTED, LAST, None)
            await ended(log)
            assert reader.take() == events(log)


async def test_what_is_not_settled_in_time_goes_on() -> None:
    async with staged() as stage:
        stage.gateway.pool.warm("demo")
        await until(lambda: stage.gateway.pool.seats["demo"].state == "warm")
        _, log = await stage.ask(grace=0)
        with stage.gateway.reading(log) as reader:
            settling = asyncio.create_task(stage.gateway.settle(reader, 3))
            await until(lambda: len(log.readers) == 2)
            stage.clock.turn(4)
            reader.wake()
            for waiting in list(log.readers):
                waiting.wake()
            await settling
            assert not log.ended


# Reading and stopping


async def test_readers_are_counted_and_closed_even_when_their_surface_breaks() -> None:
    async with staged() as stage:
        _, log = await stage.ask()
        with pytest.raises(ZeroDivisionError), stage.gateway.reading(log):
            assert (stage.gateway.readers, len(log.readers)) == (1, 1)
            raise ZeroDivisionError
        assert (stage.gateway.readers, len(log.readers)) == (0, 0)


async def test_a_wrong_position_makes_no_reader() -> None:
    async with staged() as stage:
        _, log = await stage.ask(grace=0)
        with pytest.raises(HearthError, match="epoch_mismatch"), stage.gateway.reading(log, Position("other", 0)):
            pass
        assert (stage.gateway.readers, len(log.readers)) == (0, 0)


async def test_stopping_twice_or_after_the_end_changes_nothing() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        id = call.generation.id
        stage.puppet.says(id, ACCEPTED, LAST, None)
        end = await ended(log)
        for _ in range(2):
            assert (await stage.gateway.cancel(id, "ann")).state == "finished"
        assert events(log)[-1] == end


async def test_nobody_stops_what_is_not_theirs() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        with pytest.raises(HearthError, match="unknown_generation"):
            await stage.gateway.cancel(call.generation.id, "bob")
        with pytest.raises(HearthError, match="unknown_generation"):
            await stage.gateway.open(call.generation.id, "bob")
        assert not log.ended


async def test_many_stops_at_once_all_see_the_one_end() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        id = call.generation.id
        stage.puppet.says(id, ACCEPTED)
        await until(lambda: log.tail == 2)
        stopped = await asyncio.gather(*(stage.gateway.cancel(id, "ann") for _ in range(10)))
        assert {generation.state for generation in stopped} == {"canceled"}
        assert stage.puppet.running == 0


# The watch


async def test_an_engine_that_falls_silent_fails_its_generation_and_no_other() -> None:
    async with staged(deadlines=QUICK._replace(first_token_s=100)) as stage:
        silent, silent_log = await stage.ask()
        lively, lively_log = await stage.ask()
        await until(lambda: stage.puppet.running == 2)
        stage.puppet.says(silent.generation.id, ACCEPTED)
        await until(lambda: silent_log.tail == 2)
        stage.clock.turn(99)
        stage.puppet.says(lively.generation.id, ACCEPTED, word("a"))
        await until(lambda: lively_log.tail == 3)
        stage.clock.turn(2)
        end = await ended(silent_log)
        assert isinstance(end, Failed)
        assert end.code == "engine_stalled"
        assert stage.puppet.closed == [silent.generation.id]
        assert not lively_log.ended


async def test_a_long_boot_is_no_silence() -> None:
    async with staged(Puppet(booted=False), deadlines=QUICK._replace(engine_silence_s=100, first_token_s=100)) as stage:
        call, log = await stage.ask()
        await until(lambda: log.tail == 1)
        stage.clock.turn(1000)
        for _ in range(100):
            await asyncio.sleep(0)
        stage.puppet.boots.set()
        stage.puppet.says(call.generation.id, ACCEPTED, LAST, None)
        assert isinstance(await ended(log), Finished)


async def test_the_watch_outlives_what_breaks_in_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(deadlines=QUICK) as stage:
        rounds = 0

        async def sweep() -> None:
            nonlocal rounds
            rounds += 1
            raise OSError("no store")

        monkeypatch.setattr(stage.logs, "sweep", sweep)
        await until(lambda: rounds > 2)
        assert "no store" in caplog.text


async def test_only_a_reader_whose_write_stands_still_is_cut_and_only_once() -> None:
    async with staged(deadlines=QUICK._replace(reader_stall_s=0.02)) as stage:
        _, log = await stage.ask()
        cuts: list[str] = []
        with stage.gateway.reading(log) as stalled, stage.gateway.reading(log) as idle:
            stalled.cut, idle.cut = lambda: cuts.append("stalled"), lambda: cuts.append("idle")
            stalled.sending_since = asyncio.get_running_loop().time()
            await until(lambda: bool(cuts))
            rounds = asyncio.get_running_loop().time() + 0.05
            await until(lambda: asyncio.get_running_loop().time() > rounds)
        assert cuts == ["stalled"]


async def test_being_far_behind_is_a_fault_only_while_a_write_stands_still() -> None:
    deadlines = QUICK._replace(reader_stall_s=0.3, reader_lag_bytes=10_000)
    async with staged(deadlines=deadlines) as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED, *[word("x" * 100)] * 200)
        await until(lambda: log.tail == 202)
        clock = asyncio.get_running_loop().time
        cut_at: list[float] = []
        with stage.gateway.reading(log) as reader:
            reader.cut = lambda: cut_at.append(clock())
            began = reader.sending_since = clock()
            await until(lambda: bool(cut_at))
        assert 0.03 <= cut_at[0] - began < 0.3


# Engines that die, servers that go down


async def test_a_server_that_goes_down_lets_end_what_can_and_takes_nothing_new() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED)
        await until(lambda: log.tail == 2)
        draining = asyncio.create_task(stage.gateway.drain(60))
        await until(lambda: stage.gateway.closing)
        with pytest.raises(HearthError, match="draining"):
            await stage.ask()
        assert not stage.gateway.draining.is_set()
        stage.puppet.says(call.generation.id, LAST, None)
        assert isinstance(await ended(log), Finished)
        await draining
        assert stage.gateway.draining.is_set()


async def test_what_does_not_end_in_time_is_stopped_and_its_readers_are_told_first() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED)
        await until(lambda: log.tail == 2)
        told: list[str] = []
        stage.gateway.on_draining.add(lambda: told.append("socket"))
        with stage.gateway.reading(log) as reader:
            reader.take()
            waiting = asyncio.create_task(reader.wait(60))
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await stage.gateway.drain(0.01)
            assert await waiting is True
        end = events(log)[-1]
        assert isinstance(end, Canceled)
        assert end.by == "shutdown"
        assert told == ["socket"]
        assert (stage.puppet.running, stage.gateway.running) == (0, 0)


async def test_after_the_close_no_task_is_left() -> None:
    before = asyncio.all_tasks()
    async with staged() as stage:
        for _ in range(3):
            await stage.ask()
        await until(lambda: stage.puppet.running == 3)
    assert asyncio.all_tasks() == before
    assert stage.puppet.stops == 1
