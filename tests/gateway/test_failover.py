"""Several engines behind a name: whichever fails, another one answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engines.base import Accepted, Delta, Embeddings, Prompt, Said, State, Traits
from engines.errors import EngineError
from engines.model import Model
from engines.pool import Pool
from engines.seat import Place, Seat
from gateway.admission import Admission, Gates, Outcome
from gateway.core import Deadlines, Terms
from gateway.embedding import Embedding
from gateway.errors import HearthError
from gateway.events import Canceled, Failed, Finished, Note, Progress
from gateway.failover import Failover
from gateway.generation import Generation
from gateway.keys import Key
from gateway.log.local import Log
from gateway.metrics import Metrics
from tests.gateway.puppet import ACCEPTED, ANN, LAST, Puppet, Stage, ended, events, staged, word
from tests.gateway.test_embedding import Doorkeeper, Watched
from tests.turning import Turned
from tests.waiting import until

DIED = EngineError("engine_died", "It died.")
FAILED = EngineError("engine_failed", "It failed.")
BUSY = EngineError("engine_busy", "As much as it takes.", retry_after_s=20)
GONE = EngineError("engine_unreachable", "Nobody is there.")
STALLED = EngineError("engine_stalled", "It says nothing.")


# What is decided, without engines


def seated(*versions: str | None) -> Model:
    """Engines that are warm, each of that version."""
    clock = Turned()
    seats = [
        Seat(Place(f"demo {number}", "demo", Puppet(traits=Traits(version=version))), clock, clock)
        for number, version in enumerate(versions)
    ]
    for seat in seats:
        seat.tell(State.BOOTING, "")
        seat.tell(State.WARM, "")
        seat.boots = 1
    return Model("demo", seats)


@pytest.mark.parametrize("error", [DIED, FAILED, BUSY, GONE], ids=lambda error: error.code)
def test_what_is_an_engines_fault_another_may_mend(error: EngineError) -> None:
    model = seated("1", "1")
    failover = Failover(model)
    failover.failed(model.seats[0], 1, error)
    assert failover.avoid == {model.seats[0]: 1}


@pytest.mark.parametrize("code", ["invalid_request", "context_length_exceeded", "boot_failed"])
def test_what_is_the_callers_fault_no_other_is_asked_for(code: Any) -> None:
    model = seated("1", "1")
    with pytest.raises(EngineError, match=r"No\."):
        Failover(model).failed(model.seats[0], 1, EngineError(code, "No."))


@pytest.mark.parametrize("state", [State.BROKEN, None], ids=["broken", "left alone"])
def test_nobody_is_waited_for_who_cannot_help(state: State | None) -> None:
    model = seated("1", "1")
    if state is None:
        for _ in range(3):
            model.seats[1].breaker.failed(model.seats[1].breaker.begin(), 1_000_000.0)
    else:
        model.seats[1].tell(state, "")
    with pytest.raises(EngineError, match="It failed"):
        Failover(model).failed(model.seats[0], 1, FAILED)


def test_a_run_under_which_a_third_engine_dies_is_over() -> None:
    model = seated("1", "1", "1", "1")
    failover = Failover(model)
    for seat in model.seats[:2]:
        failover.failed(seat, 1, DIED)
    with pytest.raises(EngineError, match="It died"):
        failover.failed(model.seats[2], 1, DIED)


def test_an_answer_that_has_begun_is_gone_on_with_by_its_own_version_alone() -> None:
    model = seated("1", "2", "1")
    failover = Failover(model)
    failover.failed(model.seats[0], 1, FAILED, begun=model.seats[0])
    assert set(failover.avoid) == {model.seats[0], model.seats[1]}
    with pytest.raises(EngineError, match="It failed"):
        failover.failed(model.seats[2], 1, FAILED, begun=model.seats[2])


def test_one_that_turns_out_to_be_of_another_version_is_passed_over() -> None:
    model = seated("1", None, "1")
    failover = Failover(model)
    failover.failed(model.seats[0], 1, GONE, begun=model.seats[0])
    why = EngineError("cannot_continue", "None is left.")
    failover.unfit(model.seats[1], why)
    failover.avoid[model.seats[2]] = 1
    with pytest.raises(EngineError, match=r"Nobody is there\. None is left"):
        failover.unfit(model.seats[1], why)


# With engines


async def test_a_version_is_answered_by_engines_of_it_alone() -> None:
    old, new = Puppet(traits=Traits(version="1")), Puppet(traits=Traits(version="2"))
    async with staged(old, others=[new]) as stage:
        await stage.warm()
        asked = stage.gateway.start(
            "demo", Prompt(texts=("once",)), key=ANN, surface="test", terms=Terms(versions=("2", "3"))
        )
        call, found = await asked
        id = call.generation.id
        new.says(id, ACCEPTED, LAST, None)
        await ended(found.log)
        assert isinstance(events(found.log)[-1], Finished)
        assert old.said.get(id) is None


async def test_what_was_another_version_when_it_was_asked_for_is_not_run() -> None:
    puppet = Puppet(booted=False, traits=Traits(version="1"))
    async with staged(puppet) as stage:
        terms = Terms(versions=("1",))
        _, found = await stage.gateway.start("demo", Prompt(texts=("once",)), key=ANN, surface="test", terms=terms)
        puppet.traits = Traits(version="2")
        puppet.boots.set()
        await ended(found.log)
        end = events(found.log)[-1]
        assert isinstance(end, Failed) and end.code == "prediction_failed"
        assert "another version" in end.message


@asynccontextmanager
async def company(count: int = 2, **told: Any) -> AsyncGenerator[Stage]:
    """So many warm engines."""
    async with staged(Puppet(), others=[Puppet() for _ in range(count - 1)], **told) as stage:
        await stage.warm()
        yield stage


def asked(stage: Stage) -> list[int]:
    """How often each engine was asked."""
    return [sum(map(len, puppet.said.values())) for puppet in stage.puppets]


def said(log: Log) -> str:
    return "".join(event.text for event in events(log) if isinstance(event, Delta))


def notes(log: Log) -> list[str]:
    return [event.message for event in events(log) if isinstance(event, Note)]


async def test_a_warm_engine_answers_while_others_boot() -> None:
    cold = Puppet(booted=False)
    async with staged(cold, others=[Puppet()]) as stage:
        stage.gateway.pool.warm("demo")
        await until(lambda: stage.gateway.pool.models["demo"].state is State.WARM)
        call, log = await stage.ask()
        stage.puppets[1].says(call.generation.id, ACCEPTED, LAST, None)
        assert isinstance(await ended(log), Finished)
        assert asked(stage) == [0, 1]
        assert not [event for event in events(log) if isinstance(event, Progress)]


async def test_prompts_go_to_whoever_owes_least() -> None:
    async with company(3) as stage:
        for _ in range(6):
            await stage.ask()
        await until(lambda: sum(asked(stage)) == 6)
        assert asked(stage) == [2, 2, 2]


async def test_every_turn_of_a_conversation_goes_to_one_engine_unless_that_has_too_much_to_do() -> None:
    def turn(number: int) -> Prompt:
        later = [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And now?"}] * number
        return Prompt(messages=({"role": "user", "content": "Hello"}, *later), parameters={"max_tokens": 2000})

    async with company(3) as stage:
        for number in range(4):
            call, log = await stage.ask(turn(number))
            await until(lambda number=number: sum(asked(stage)) == number + 1)  # type: ignore[misc]
            for puppet in stage.puppets:
                puppet.says(call.generation.id, ACCEPTED, LAST, None)
            await ended(log)
            await until(lambda: stage.gateway.running == 0)
        assert sorted(asked(stage)) == [0, 0, 4]
        for _ in range(6):
            await stage.ask(turn(0))
        await until(lambda: sum(asked(stage)) == 10)
        assert sorted(asked(stage))[1] >= 1


@pytest.mark.parametrize("error", [DIED, FAILED, BUSY, GONE], ids=lambda error: error.code)
@pytest.mark.parametrize("before", [(), (ACCEPTED,)], ids=["at once", "accepted"])
async def test_before_its_first_token_any_engine_takes_over(error: EngineError, before: tuple[Accepted, ...]) -> None:
    other = Puppet(traits=Traits(version="another"))
    async with staged(others=[other]) as stage:
        await stage.warm()
        call, log = await stage.ask()
        id = call.generation.id
        stage.puppet.says(id, *before, error)
        other.says(id, ACCEPTED, word("a"), LAST, None)
        assert isinstance(await ended(log), Finished)
        assert said(log) == "a!"
        assert (stage.puppet.said[id], other.said[id]) == ([()], [()])
        assert notes(log) == ["The engine failed; another one goes on from here."]


async def test_an_engine_that_gives_no_first_token_is_left_for_another() -> None:
    async with company(deadlines=Deadlines(first_token_s=10, watch_s=0.005)) as stage:
        call, log = await stage.ask()
        await until(lambda: asked(stage) == [1, 0])
        stage.clock.turn(11)
        stage.puppets[1].says(call.generation.id, ACCEPTED, LAST, None)
        assert isinstance(await ended(log), Finished)
        assert stage.puppet.running == 0


async def test_to_accept_a_prompt_is_no_first_token() -> None:
    async with company(deadlines=Deadlines(first_token_s=10, watch_s=0.005)) as stage:
        call, log = await stage.ask()
        await until(lambda: asked(stage) == [1, 0])
        stage.clock.turn(9)
        stage.puppet.says(call.generation.id, ACCEPTED)
        await until(lambda: log.tail == 1)
        stage.clock.turn(2)
        stage.puppets[1].says(call.generation.id, ACCEPTED, LAST, None)
        assert isinstance(await ended(log), Finished)


async def test_an_engine_that_falls_silent_is_left_for_one_that_goes_on() -> None:
    async with company(deadlines=Deadlines(first_token_s=5, engine_silence_s=10, watch_s=0.005)) as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED, word("a"))
        await until(lambda: said(log) == "a")
        stage.clock.turn(9)
        stage.puppet.says(call.generation.id, word("b"))
        await until(lambda: said(log) == "ab")
        stage.clock.turn(11)
        stage.puppets[1].says(call.generation.id, ACCEPTED, LAST, None)
        assert isinstance(await ended(log), Finished)
        assert said(log) == "ab!"
        assert stage.puppets[1].said[call.generation.id] == [(Said(tokens=(1, 1), text="ab"),)]


async def test_an_answer_takes_no_longer_than_it_may_through_all_failovers() -> None:
    async with company(3, deadlines=Deadlines(total_s=30, watch_s=0.005)) as stage:
        call, log = await stage.ask()
        for puppet in stage.puppets:
            await until(lambda puppet=puppet: puppet.running == 1)  # type: ignore[misc]
            stage.clock.turn(14)
            if puppet is not stage.puppets[-1]:
                puppet.says(call.generation.id, FAILED)
        end = await ended(log)
        assert isinstance(end, Failed) and end.code == "deadline_exceeded"
        assert all(puppet.running == 0 for puppet in stage.puppets)


async def test_an_answer_that_has_begun_is_not_mixed_with_another_versions() -> None:
    async with staged(others=[Puppet(traits=Traits(version="another"))]) as stage:
        await stage.warm()
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED, word("a"), FAILED)
        end = await ended(log)
        assert isinstance(end, Failed) and end.code == "engine_failed"
        assert asked(stage) == [1, 0]


async def test_a_third_engine_goes_on_where_the_second_turns_out_to_be_of_another_version() -> None:
    second, third = Puppet(traits=Traits()), Puppet(booted=False)
    async with staged(others=[second, third]) as stage:
        stage.gateway.pool.boot(stage.gateway.pool.seats["demo"])
        await until(lambda: stage.gateway.pool.seats["demo"].state is State.WARM)
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED, word("a"))
        await until(lambda: said(log) == "a")
        stage.puppet.says(call.generation.id, GONE)
        await until(lambda: second.starts == 1)
        second.traits = Traits(version="another")
        await until(lambda: third.starts == 1)
        third.boots.set()
        third.says(call.generation.id, ACCEPTED, LAST, None)
        assert isinstance(await ended(log), Finished)
        assert said(log) == "a!"
        assert asked(stage) == [1, 0, 1]


async def test_what_cannot_be_continued_ends_with_what_first_befell_it_and_why_nobody_goes_on() -> None:
    async with company(3) as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED, word("a"), GONE)
        stage.puppets[1].says(call.generation.id, EngineError("cannot_continue", "Its grammar is lost."))
        end = await ended(log)
        assert isinstance(end, Failed)
        assert (end.code, end.message) == ("engine_unreachable", "Nobody is there. Its grammar is lost.")


async def test_a_run_that_kills_its_third_engine_spares_the_fourth() -> None:
    async with company(4) as stage:
        call, log = await stage.ask()
        for puppet in stage.puppets:
            puppet.says(call.generation.id, DIED)
        end = await ended(log)
        assert isinstance(end, Failed) and end.code == "engine_died"
        assert sum(asked(stage)) == 3


async def test_when_the_only_other_engine_does_not_boot_the_first_error_is_told() -> None:
    broken = Puppet()
    broken.boot_error = EngineError("boot_failed", "No such folder.")
    async with staged(others=[broken]) as stage:
        stage.gateway.pool.boot(stage.gateway.pool.seats["demo"])
        await until(lambda: stage.gateway.pool.seats["demo"].state is State.WARM)
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, BUSY)
        end = await ended(log, 10)
        assert isinstance(end, Failed) and (end.code, end.retry_after_s) == ("engine_busy", 20)


@pytest.mark.parametrize("moment", range(12))
async def test_a_stop_in_the_middle_of_a_failover_leaves_one_end_and_free_engines(moment: int) -> None:
    async with company(3) as stage:
        call, log = await stage.ask()
        await until(lambda: asked(stage) == [1, 0, 0])
        stage.puppet.says(call.generation.id, ACCEPTED, word("a"), FAILED)
        stage.puppets[1].says(call.generation.id, ACCEPTED, word("b"), FAILED)
        for _ in range(moment):
            await asyncio.sleep(0)
        await stage.gateway.cancel(call.generation.id, "ann")
        assert isinstance(events(log)[-1], Canceled)
        assert all(puppet.running == 0 for puppet in stage.puppets)
        assert all(seat.held == seat.owed == 0 for seat in stage.gateway.pool.seats.values())


class Settling(Doorkeeper):
    """A gate with one admission for each run."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Watched] = []

    async def admit(self, generation: Generation, key: Key) -> Admission:
        self.all.append(Watched())
        return self.all[-1]


async def test_a_run_over_several_engines_is_settled_once_for_what_all_of_them_worked() -> None:
    door = Settling()
    async with company(gate=Gates([door])) as stage:
        call, log = await stage.ask()
        id = call.generation.id
        stage.puppet.says(id, ACCEPTED, word("a"))
        await until(lambda: said(log) == "a")
        stage.clock.turn(3)
        stage.puppet.says(id, FAILED)
        await until(lambda: asked(stage) == [1, 1])
        stage.clock.turn(100)
        stage.puppets[1].says(id, ACCEPTED, word("b"))
        await until(lambda: said(log) == "ab")
        stage.clock.turn(4)
        stage.puppets[1].says(id, LAST, None)
        end = await ended(log)
        await until(lambda: stage.gateway.running == 0)
        shown = stage.gateway._metrics.render().decode()
        assert 'hearth_takeovers_total{gone="engine",model="demo"} 1.0' in shown
        assert 'hearth_time_to_first_token_seconds_count{model="demo"} 1.0' in shown
        [admission] = door.all
        assert admission.outcomes == [Outcome(end, 7.0)]  # type: ignore[arg-type]
        assert end.usage.completion_tokens == 3 and end.usage.prompt_tokens == 5  # type: ignore[union-attr]


async def test_who_follows_a_shared_run_is_given_one_answer_through_its_failover() -> None:
    async with company() as stage:
        prompt = Prompt(texts=("once",), parameters={"temperature": 0})
        call, log = await stage.ask(prompt)
        follower, copied = await stage.ask(prompt)
        id = call.generation.id
        stage.puppet.says(id, ACCEPTED, word("a"), word("b"))
        await until(lambda: said(log) == "ab")
        stage.puppet.says(id, FAILED)
        stage.puppets[1].says(id, ACCEPTED, word("c"), LAST, None)
        assert isinstance(await ended(log), Finished)
        if copied is not log:
            assert isinstance(await ended(copied), Finished)
        assert follower.how == "join"
        assert said(copied) == "abc!"
        assert sum(asked(stage)) == 2


# An engine that fails again and again


async def fail(stage: Stage, times: int, error: EngineError = STALLED) -> None:
    for _ in range(times):
        call, log = await stage.ask()
        for puppet in stage.puppets:
            puppet.says(call.generation.id, error)
        assert isinstance(await ended(log), Failed)


async def test_an_engine_that_failed_three_times_is_left_alone_and_whoever_asks_is_told_for_how_long() -> None:
    async with company(1) as stage:
        await fail(stage, 3)
        _, log = await stage.ask()
        end = await ended(log)
        assert isinstance(end, Failed)
        assert (end.code, end.retry_after_s) == ("engine_unreachable", 1.0)
        assert asked(stage) == [3]


async def test_one_call_probes_and_if_it_is_answered_all_may_come() -> None:
    async with company(1) as stage:
        await fail(stage, 3)
        stage.clock.turn(1)
        probe, _ = await stage.ask()
        await until(lambda: asked(stage) == [4])
        _, waits = await stage.ask()
        await until(lambda: waits.tail == 1)
        assert asked(stage) == [4]
        stage.puppet.says(probe.generation.id, ACCEPTED)
        await until(lambda: asked(stage) == [5])
        await stage.ask()
        await until(lambda: asked(stage) == [6])


async def test_who_waits_for_a_probe_that_fails_is_told_when_to_come_back() -> None:
    async with company(1) as stage:
        await fail(stage, 3)
        stage.clock.turn(1)
        probe, _ = await stage.ask()
        await until(lambda: asked(stage) == [4])
        _, waits = await stage.ask()
        await until(lambda: waits.tail == 1)
        stage.puppet.says(probe.generation.id, EngineError("engine_stalled", "No."))
        end = await ended(waits)
        assert isinstance(end, Failed)
        assert end.code == "engine_unreachable" and end.retry_after_s


async def test_a_prompt_that_every_engine_fails_closes_them_to_nobody() -> None:
    async with company() as stage:
        for _ in range(5):
            poison, log = await stage.ask()
            for puppet in stage.puppets:
                puppet.says(poison.generation.id, EngineError("engine_failed", "It chokes."))
            assert isinstance(await ended(log), Failed)
        assert not any(seat.breaker.failures for seat in stage.gateway.pool.models["demo"].seats)


async def test_an_engine_that_fails_what_another_answers_is_to_blame() -> None:
    async with company() as stage:
        call, log = await stage.ask()
        stage.puppets[0].says(call.generation.id, EngineError("engine_failed", "It chokes."))
        stage.puppets[1].says(call.generation.id, ACCEPTED, LAST, None)
        assert isinstance(await ended(log), Finished)
        first, second = stage.gateway.pool.models["demo"].seats
        await until(lambda: first.breaker.failures == 1)
        assert second.breaker.failures == 0


async def test_a_probe_whose_caller_leaves_makes_way_for_another() -> None:
    async with company(1) as stage:
        await fail(stage, 3)
        stage.clock.turn(1)
        for count in (4, 5):
            probe, _ = await stage.ask()
            await until(lambda count=count: asked(stage) == [count])  # type: ignore[misc]
            await stage.gateway.cancel(probe.generation.id, "ann")


async def test_an_engine_that_is_busy_is_left_alone_for_as_long_as_it_asked() -> None:
    async with company() as stage:
        early, _ = await stage.ask()
        await until(lambda: asked(stage) == [1, 0])
        first = await stage.ask(Prompt(texts=("hi",), parameters={"max_tokens": 1}))
        stage.puppets[1].says(first[0].generation.id, BUSY)
        await until(lambda: asked(stage) == [2, 1])
        stage.puppets[1].says(early.generation.id, word("late"))
        for count in (3, 4, 5):
            await stage.ask()
            await until(lambda count=count: asked(stage) == [count, 1])  # type: ignore[misc]
        stage.clock.turn(20)
        await stage.ask()
        await until(lambda: asked(stage) == [5, 2])


async def test_a_prompt_that_fails_everywhere_condemns_no_engine_that_is_alone() -> None:
    async with company(1) as stage:
        await fail(stage, 5, FAILED)
        assert asked(stage) == [5]


async def test_where_there_are_several_one_that_fails_again_and_again_is_left_alone() -> None:
    async with company() as stage:
        for _ in range(3):
            call, log = await stage.ask()
            stage.puppet.says(call.generation.id, FAILED)
            stage.puppets[1].says(call.generation.id, ACCEPTED, LAST, None)
            assert isinstance(await ended(log), Finished)
            await until(lambda: stage.gateway.running == 0)
        assert asked(stage) == [3, 3]
        call, log = await stage.ask()
        stage.puppets[1].says(call.generation.id, ACCEPTED, LAST, None)
        await ended(log)
        assert asked(stage) == [3, 4]


# Vectors


MADE = Embeddings((b"\0\0\x80?",), 3)


async def test_vectors_too_come_from_another_engine_when_one_fails() -> None:

    clock, gate = Turned(), Doorkeeper()
    one, two = (Puppet(traits=Traits(embeds=True)) for _ in range(2))
    pool = Pool([Place("demo", "demo", one), Place("demo 2", "demo", two)], clock)
    embedding = Embedding(pool, gate, clock.clock, Metrics())
    pool.warm("demo")
    await until(lambda: all(seat.state is State.WARM for seat in pool.seats.values()))
    call = asyncio.create_task(embedding.embed(pool.models["demo"], Prompt(texts=("a fox",)), ANN))
    await until(lambda: one.running == 1)
    clock.turn(1)
    one.embeds(BUSY)
    await until(lambda: two.running == 1)
    clock.turn(2)
    two.embeds(MADE)
    assert (await call).embeddings == MADE
    [outcome] = gate.admission.outcomes
    assert outcome is not None and outcome.seconds == 3
    one.embeds(*[GONE] * 9)
    two.embeds(*[GONE] * 9)
    told: list[HearthError] = []
    for _ in range(5):
        try:
            await embedding.embed(pool.models["demo"], Prompt(texts=("a fox",)), ANN)
        except HearthError as error:
            told.append(error)
    assert told[-1].code == "engine_unreachable" and told[-1].retry_after_s is not None
    await pool.close()
