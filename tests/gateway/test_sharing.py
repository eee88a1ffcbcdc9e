"""Equal questions have one run: who begins it, who follows, what a failure does to whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from engines.base import Delta, Prompt
from engines.errors import EngineError
from gateway.admission import Outcome, Spared
from gateway.core import Started
from gateway.errors import HearthError
from gateway.events import Canceled, Failed, Finished
from gateway.generation import Generation
from gateway.keys import Key
from gateway.log.base import Retention
from gateway.wire.cache_control import Control
from tests.gateway.puppet import ACCEPTED, ANN, LAST, Puppet, Stage, ended, events, staged, word
from tests.waiting import until

ONCE = Prompt(texts=("once",), parameters={"temperature": 0.0, "max_tokens": 3})
BOB = Key(id="key_bob", name="bob", namespace="bob")
SAID = (ACCEPTED, word("a"), word("b"), LAST, None)


async def ask(
    stage: Stage, prompt: Prompt = ONCE, *, key: Key = ANN, addressed: bool = False, **wishes: Any
) -> Started:
    return await stage.gateway.start(
        "demo", prompt, key=key, surface="test", grace=5, addressed=addressed, control=Control(**wishes)
    )


def runs(stage: Stage) -> list[str]:
    """The generations that an engine works for."""
    return sorted(stage.puppet.now)


async def answered(stage: Stage, prompt: Prompt = ONCE, **more: Any) -> Started:
    """Ask, be answered, and wait until the answer is kept."""
    started = await ask(stage, prompt, **more)
    await until(lambda: started.call.generation.id in stage.puppet.now)
    stage.puppet.says(started.call.generation.id, *SAID)
    await ended(started.found.log)
    await until(lambda: stage.gateway.running == 0)
    return started


def how(started: Started) -> str:
    return started.call.headers["x-cache"]


# Following


async def test_who_asks_while_it_runs_joins_and_who_asks_afterwards_is_given_it_again() -> None:
    async with staged() as stage:
        first, second = await ask(stage), await ask(stage)
        assert (how(first), how(second)) == ("MISS", "JOIN")
        stage.puppet.says(first.call.generation.id, *SAID)
        await ended(first.found.log)
        await until(lambda: stage.gateway.running == 0)
        third = await ask(stage)
        assert how(third) == "HIT"
        said = [event for event in events(first.found.log) if isinstance(event, Delta)]
        assert [event for event in events(third.found.log) if isinstance(event, Delta)] == said
        assert len({each.call.id for each in (first, second, third)}) == 3
        assert len(stage.puppet.closed) == 1


async def test_of_many_who_ask_at_once_one_runs() -> None:
    async with staged() as stage:
        asked = await asyncio.gather(*(ask(stage, addressed=index % 2 == 0) for index in range(40)))
        assert sorted(map(how, asked)).count("MISS") == 1
        await until(lambda: len(runs(stage)) == 1)
        stage.puppet.says(runs(stage)[0], *SAID)
        for each in asked:
            assert isinstance(await ended(each.found.log), Finished)
        assert len({each.call.id for each in asked}) == 40


async def test_one_who_follows_may_have_asked_as_much_as_the_one_who_is_followed() -> None:
    large = Prompt(texts=("x" * (9 << 20),), parameters=ONCE.parameters)
    async with staged(retention=Retention(log_bytes=16 << 20)) as stage:
        first, second = await ask(stage, large), await ask(stage, large)
        assert (how(first), how(second)) == ("MISS", "JOIN")
        stage.puppet.says(first.call.generation.id, *SAID)
        assert isinstance(await ended(second.found.log), Finished)


async def test_another_namespace_is_given_nothing() -> None:
    async with staged() as stage:
        await answered(stage)
        assert how(await ask(stage, key=BOB)) == "MISS"
        assert how(await ask(stage, namespace="part")) == "MISS"


async def test_a_call_with_an_address_has_a_log_of_its_own_whoever_answers() -> None:
    async with staged() as stage:
        first, second = await ask(stage, addressed=True), await ask(stage, addressed=True)
        assert (how(first), how(second)) == ("MISS", "JOIN")
        assert first.call.generation.id != second.call.generation.id
        await until(lambda: len(runs(stage)) == 1)
        [run] = runs(stage)
        assert run not in (first.call.generation.id, second.call.generation.id)
        stage.puppet.says(run, *SAID)
        for each in (first, second):
            end = await ended(each.found.log)
            assert isinstance(end, Finished) and end.usage.completion_tokens == 3
            assert [event.text for event in events(each.found.log) if isinstance(event, Delta)] == ["a", "b", "!"]
        assert how(await ask(stage, addressed=True)) == "HIT"


# Leaving


async def test_whoever_leaves_disturbs_nobody_and_the_last_one_ends_it() -> None:
    async with staged() as stage:
        first, second, third = [await ask(stage) for _ in range(3)]
        run = first.call.generation.id
        with stage.gateway.answering(third) as reader:
            for each in (first, second):
                with stage.gateway.answering(each):
                    pass
            stage.puppet.says(run, ACCEPTED, word("a"))
            await until(lambda: any(isinstance(event, Delta) for event in reader.take()))
            assert runs(stage) == [run]
        await until(lambda: not runs(stage))
        assert isinstance(events(first.found.log)[-1], Canceled)


async def test_one_call_that_is_stopped_stops_no_other() -> None:
    async with staged() as stage:
        first, second = await ask(stage, addressed=True), await ask(stage, addressed=True)
        await until(lambda: len(runs(stage)) == 1)
        stopped = await stage.gateway.cancel(first.call.generation.id, "ann")
        assert stopped.state == "canceled"
        stage.puppet.says(runs(stage)[0], *SAID)
        assert isinstance(await ended(second.found.log), Finished)


async def test_a_run_that_others_may_follow_is_not_stopped_by_its_id() -> None:
    async with staged() as stage:
        started = await ask(stage)
        with pytest.raises(HearthError, match="shared_run"):
            await stage.gateway.cancel(started.call.generation.id, "ann")
        stage.puppet.says(started.call.generation.id, *SAID)
        await ended(started.found.log)
        assert (await stage.gateway.cancel(started.call.generation.id, "ann")).state == "finished"


# Failing


async def test_a_run_that_failed_is_nobodys_answer() -> None:
    async with staged() as stage:
        first = await ask(stage)
        stage.puppet.says(first.call.generation.id, ACCEPTED, word("a"), EngineError("engine_failed", "It broke."))
        assert isinstance(await ended(first.found.log), Failed)
        assert how(await ask(stage)) == "MISS"


async def test_a_run_that_was_stopped_or_cut_is_nobodys_answer() -> None:
    async with staged() as stage:
        first = await ask(stage)
        with stage.gateway.answering(first):
            pass
        await ended(first.found.log)
        await until(lambda: stage.gateway.running == 0)
        second = await ask(stage)
        assert how(second) == "MISS"
        cut = Delta(0, "b", (2,), "length")
        stage.puppet.says(second.call.generation.id, ACCEPTED, cut, None)
        await ended(second.found.log)
        await until(lambda: stage.gateway.running == 0)
        assert how(await ask(stage)) == "MISS"


async def test_who_followed_a_run_that_failed_before_a_word_asks_anew_and_only_once() -> None:
    async with staged() as stage:
        first, second = await ask(stage), await ask(stage, addressed=True)
        stage.puppet.says(first.call.generation.id, ACCEPTED, EngineError("engine_failed", "It broke."))
        await until(lambda: runs(stage) not in ([], [first.call.generation.id]))
        [again] = runs(stage)
        stage.puppet.says(again, EngineError("engine_failed", "It broke once more."))
        end = await ended(second.found.log)
        assert isinstance(end, Failed) and end.message == "It broke once more."


async def test_who_was_told_a_word_is_told_the_failure_too() -> None:
    async with staged() as stage:
        first, second = await ask(stage), await ask(stage, addressed=True)
        stage.puppet.says(first.call.generation.id, ACCEPTED, word("a"))
        await until(lambda: any(isinstance(event, Delta) for event in events(second.found.log)))
        stage.puppet.says(first.call.generation.id, EngineError("engine_failed", "It broke."))
        end = await ended(second.found.log)
        assert isinstance(end, Failed) and end.code == "engine_failed"
        assert runs(stage) == []


async def test_what_was_refused_for_good_is_not_asked_again() -> None:
    async with staged() as stage:
        first, second = await ask(stage), await ask(stage, addressed=True)
        stage.puppet.says(first.call.generation.id, EngineError("context_length_exceeded", "Too long."))
        end = await ended(second.found.log)
        assert isinstance(end, Failed) and end.code == "context_length_exceeded"
        assert runs(stage) == []


async def test_a_run_that_could_not_begin_leaves_the_question_open() -> None:
    class Narrow(Recording):
        async def admit(self, generation: Generation, key: Key) -> Any:
            if not self.admitted:
                self.admitted.append(generation.id)
                raise HearthError("budget_exceeded")
            return await super().admit(generation, key)

    async with staged(gate=Narrow()) as stage:
        with pytest.raises(HearthError, match="budget_exceeded"):
            await ask(stage)
        assert how(await ask(stage)) == "MISS"


# What a call wants


async def test_no_cache_answers_anew_and_what_it_says_is_given_from_then_on() -> None:
    async with staged() as stage:
        old = await answered(stage)
        fresh = await answered(stage, no_cache=True)
        assert (how(fresh), fresh.call.headers["cache-status"][:17]) == ("MISS", "hearth; fwd=reque")
        again = await ask(stage)
        assert again.call.headers["x-cache-source-id"] == fresh.call.generation.id != old.call.generation.id


async def test_no_store_leaves_nothing_and_takes_nothing() -> None:
    async with staged() as stage:
        await answered(stage)
        assert how(await answered(stage, no_store=True)) == "BYPASS"
    async with staged() as stage:
        await answered(stage, no_store=True)
        assert how(await ask(stage)) == "MISS"


async def test_only_if_cached_never_runs() -> None:
    async with staged() as stage:
        with pytest.raises(HearthError, match="not_cached"):
            await ask(stage, only_if_cached=True)
        with pytest.raises(HearthError, match="not_cached"):
            await ask(stage, Prompt(texts=("by chance",)), only_if_cached=True)
        assert stage.logs.held == []
        await answered(stage)
        for addressed in (False, True):
            assert how(await ask(stage, only_if_cached=True, addressed=addressed)) == "HIT"


async def test_an_answer_that_is_too_old_for_a_call_is_given_to_others_only() -> None:
    async with staged() as stage:
        await answered(stage)
        stage.clock.turn(100)
        assert how(await ask(stage, max_age_s=200.0)) == "HIT"
        hit = await ask(stage)
        assert (hit.call.headers["age"], hit.call.headers["x-cache-ttl"]) == ("100", "3500")
        assert how(await ask(stage, max_age_s=50.0)) == "MISS"


async def test_an_answer_is_kept_for_as_long_as_its_call_said() -> None:
    async with staged() as stage:
        await answered(stage, ttl_s=10.0)
        stage.clock.turn(9)
        assert how(await ask(stage)) == "HIT"
        stage.clock.turn(2)
        assert how(await ask(stage)) == "MISS"


async def test_a_claim_lasts_for_as_long_as_its_run() -> None:
    async with staged(
        puppet := Puppet(),
    ) as stage:
        first = await ask(stage)
        with stage.gateway.answering(first):
            for _ in range(10):
                stage.clock.turn(30)
                await stage.gateway.caching.renew(stage.gateway._runs.generations, stage.clock.now)
            assert how(await ask(stage)) == "JOIN"
            puppet.says(first.call.generation.id, *SAID)
            await ended(first.found.log)


# Who is told of what was spared


class Recording:
    """A gate that lets everything in, and notes what it hears."""

    def __init__(self) -> None:
        self.admitted: list[str] = []
        self.closed: list[Outcome | None] = []
        self.noted: list[Spared] = []

    async def enter(self, key: Key, model: str) -> dict[str, str]:
        return {"x-entered": key.id}

    async def admit(self, generation: Generation, key: Key) -> Any:
        self.admitted.append(generation.id)
        return _Admitted(self)

    async def inherit(self, generation: Generation) -> Any:
        return _Admitted(self)

    def spared(self, spared: Spared) -> None:
        self.noted.append(spared)

    async def tick(self) -> None: ...

    async def close(self) -> None: ...


class _Admitted:
    def __init__(self, gate: Recording) -> None:
        self.headers = {"x-admitted": "yes"}
        self.on_stop: Any = None
        self._gate = gate

    async def turn(self) -> AsyncGenerator[str]:
        yield "one ahead"

    async def close(self, outcome: Outcome | None) -> None:
        self._gate.closed.append(outcome)


@pytest.mark.parametrize("addressed", [False, True])
async def test_one_run_is_paid_and_hits_and_joins_are_noted(addressed: bool) -> None:
    gate = Recording()
    async with staged(gate=gate) as stage:
        first = await ask(stage, addressed=addressed)
        with stage.gateway.answering(await ask(stage, addressed=addressed)) as reader:
            await until(lambda: len(runs(stage)) == 1)
            stage.puppet.says(runs(stage)[0], *SAID)
            await reader.end()
        await ended(first.found.log)
        await until(lambda: stage.gateway.running == 0)
        with stage.gateway.answering(await ask(stage, addressed=addressed)) as reader:
            await reader.end()
        await until(lambda: len(gate.noted) == 2)
        assert [(each.how, each.usage.completion_tokens) for each in gate.noted] == [("join", 3), ("hit", 3)]
        assert len(gate.admitted) == len(gate.closed) == 1
        [outcome] = gate.closed
        assert outcome is not None and isinstance(outcome.terminal, Finished)
        assert first.call.headers["x-entered"] == "key_ann"


async def test_whoever_waits_for_a_turn_is_told_and_a_run_that_broke_is_settled_too() -> None:
    gate = Recording()
    async with staged(gate=gate) as stage:
        started = await ask(stage, Prompt(texts=("by chance",)))
        stage.puppet.says(started.call.generation.id, ACCEPTED, EngineError("engine_failed", "It broke."))
        await ended(started.found.log)
        assert [getattr(event, "stage", None) for event in events(started.found.log)][1] == "queued"
        await until(lambda: gate.closed != [])
        [outcome] = gate.closed
        assert outcome is not None and isinstance(outcome.terminal, Failed) and started.call.headers["x-admitted"]


async def test_who_followed_a_run_that_is_gone_goes_on_alone_from_there() -> None:
    gate = Recording()
    async with staged(gate=gate) as stage:
        first, second = await ask(stage), await ask(stage, addressed=True)
        stage.puppet.says(first.call.generation.id, ACCEPTED, word("a"), word("b"))
        await until(lambda: sum(isinstance(event, Delta) for event in events(second.found.log)) == 2)
        stage.gateway._runs._runners[first.call.generation.id].fail(HearthError("cannot_continue"))
        await until(lambda: runs(stage) == [second.call.generation.id])
        [[said]] = stage.puppet.said[second.call.generation.id]
        assert said.text == "ab"
        stage.puppet.says(second.call.generation.id, ACCEPTED, LAST, None)
        assert isinstance(await ended(second.found.log), Finished)
        assert [event.text for event in events(second.found.log) if isinstance(event, Delta)] == ["a", "b", "!"]
        await until(lambda: len(gate.closed) == 2)
