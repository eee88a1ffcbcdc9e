"""An engine dies under its generations, and the next one goes on with them."""

from __future__ import annotations

from functools import partial

import pytest

from engines.base import Accepted, Delta, Prompt, Said
from engines.errors import EngineError
from gateway.admission import FREE
from gateway.events import Failed, Finished, Note, Opened, Usage
from gateway.generation import Generation, State, new_id
from gateway.log.local import Log
from gateway.takeover import so_far
from tests.gateway.puppet import ACCEPTED, LAST, Stage, crash, ended, events, staged, word
from tests.gateway.wire.openai_frames import log_of
from tests.waiting import until


def test_a_log_adds_up_to_what_each_choice_has_said() -> None:
    log = log_of(
        [
            Opened("g", "demo", 1.0),
            Accepted(7, 3),
            Delta(0, "a", (1,), reasoning="hm"),
            Delta(0, "b", (2, 3)),
            Delta(0, "", finish="length"),
        ]
    )
    sofar = so_far(log)
    assert sofar.said == (Said(tokens=(1, 2, 3), text="ab", reasoning="hm", finished=True),)
    assert (sofar.accepted, sofar.tokens, sofar.reason, sofar.whole) == (Accepted(7, 3), 3, "length", True)


def holds(log: Log, tail: int) -> bool:
    return log.tail >= tail


def asked_so_often(stage: Stage, id: str, count: int) -> bool:
    return len(stage.puppet.said[id]) == count


async def test_every_generation_goes_on_where_it_stood_when_the_engine_died() -> None:
    async with staged() as stage:
        asked = [await stage.ask() for _ in range(5)]
        for call, log in asked:
            stage.puppet.says(call.generation.id, ACCEPTED, word("a"), word("b"))
            await until(partial(holds, log, 3))
        await crash(stage, *(call.generation.id for call, _ in asked))
        for call, log in asked:
            stage.puppet.says(call.generation.id, ACCEPTED, word("c"), LAST, None)
            end = await ended(log)
            assert isinstance(end, Finished)
            assert end.usage == Usage(5, 4, 2)
            assert stage.puppet.said[call.generation.id] == [(), (Said(tokens=(1, 1), text="ab"),)]
            said = events(log)
            assert "".join(event.text for event in said if isinstance(event, Delta)) == "abc!"
            assert [event.kind for event in said if isinstance(event, Note)] == ["takeover"]
            assert [event for event in said if isinstance(event, Accepted)] == [ACCEPTED]
            assert call.generation.state is State.FINISHED
        assert stage.puppet.starts == 2


async def test_what_had_said_nothing_begins_anew() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        id = call.generation.id
        await until(lambda: stage.puppet.running == 1)
        await crash(stage, id)
        stage.puppet.says(id, ACCEPTED, LAST, None)
        assert isinstance(await ended(log), Finished)
        assert stage.puppet.said[id] == [(), ()]


async def test_what_cannot_be_continued_fails_as_the_death_that_it_was() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, ACCEPTED, word("a"))
        await until(lambda: log.tail >= 2)
        await crash(stage, call.generation.id)
        stage.puppet.says(call.generation.id, EngineError("cannot_continue", "Its grammar is lost."))
        end = await ended(log)
        assert isinstance(end, Failed)
        assert (end.code, end.usage) == ("engine_died", Usage(5, 1, 2))


async def test_a_generation_that_kills_every_engine_is_given_up() -> None:
    async with staged() as stage:
        call, log = await stage.ask()
        id = call.generation.id
        for count in (1, 2, 3):
            await until(partial(asked_so_often, stage, id, count))
            stage.clock.turn(60)  # Each engine was sound before.
            await crash(stage, id)
        end = await ended(log)
        assert isinstance(end, Failed)
        assert end.code == "engine_died"


async def test_an_engine_that_says_it_died_and_does_not_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.pool._NOTICE_S", 0.01)
    async with staged() as stage:
        call, log = await stage.ask()
        stage.puppet.says(call.generation.id, *[EngineError("engine_died", "It died.")] * 5)
        end = await ended(log)
        assert isinstance(end, Failed)
        assert end.code == "engine_died"


async def test_whoever_lost_half_an_answer_with_its_replica_is_told_to_ask_again() -> None:
    async with staged() as stage:
        prompt = Prompt(texts=("once",))
        generation = Generation(id=new_id("gen"), owner="ann", model="demo", prompt=prompt, created=1.0, grace=0.0)
        writer = await stage.logs.create(generation)
        await writer.append(Opened(generation.id, "demo", 1.0), ACCEPTED, word("a"))
        stage.gateway._runs.run(writer, FREE, inherited=True)
        await until(lambda: writer.log.ended)
        end = events(writer.log)[-1]
        assert isinstance(end, Failed) and end.code == "cannot_continue"
