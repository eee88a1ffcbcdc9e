"""A predictor gives values and files, log lines and figures; its answers cannot be gone on with, nor shared."""

from __future__ import annotations

from functools import partial

import pytest

from engines.base import Accepted, Delta, Kept, LogLine, Measured, Output, Prompt, Traits
from gateway.caching import decide
from gateway.capability import check
from gateway.core import Terms
from gateway.errors import HearthError
from gateway.events import Canceled, Failed, Finished
from gateway.generation import State
from gateway.keys import LOCAL
from gateway.log.local import Log
from gateway.measure import measure
from gateway.wire import watch
from gateway.wire.cache_control import PLAIN
from tests.gateway.puppet import ANN, Puppet, crash, ended, events, staged
from tests.waiting import until

PREDICTOR = Traits(version="1", chat=False, schema={"openapi": "3.0.2"})
ASKED = Prompt(inputs={"prompt": "a cat"})
PICTURE = Output("out-0", {"out-0": Kept("f1", "out-0.png", "image/png", 12)})
SAID = (LogLine("10%\n"), PICTURE, Measured("image_count", 1))
LAST = Delta(0, finish="stop")


def holds(log: Log, tail: int) -> bool:
    return log.tail >= tail


async def test_all_that_it_gives_is_in_its_log() -> None:
    async with staged(Puppet(traits=PREDICTOR)) as stage:
        call, log = await stage.ask(ASKED)
        stage.puppet.says(call.generation.id, Accepted(0), *SAID, LAST, None)
        assert isinstance(await ended(log), Finished)
        assert tuple(events(log)[-5:-2]) == SAID


async def test_what_had_given_nothing_yet_begins_anew_on_the_next_engine() -> None:
    async with staged(Puppet(traits=PREDICTOR)) as stage:
        call, log = await stage.ask(ASKED)
        id = call.generation.id
        stage.puppet.says(id, Accepted(0), SAID[0])
        await until(partial(holds, log, 3))
        await crash(stage, id)
        stage.puppet.says(id, Accepted(0), *SAID, LAST, None)
        assert isinstance(await ended(log), Finished)
        assert stage.puppet.said[id] == [(), ()]
        assert events(log).count(PICTURE) == 1


async def test_what_has_given_something_ends_with_its_engine_rather_than_give_it_twice() -> None:
    async with staged(Puppet(traits=PREDICTOR)) as stage:
        call, log = await stage.ask(ASKED)
        stage.puppet.says(call.generation.id, Accepted(0), *SAID)
        await until(partial(holds, log, 5))
        await crash(stage, call.generation.id)
        end = await ended(log)
        assert isinstance(end, Failed) and end.code == "engine_died"
        assert events(log).count(PICTURE) == 1


@pytest.mark.parametrize("begun", [False, True])
async def test_its_deadline_stops_it_whether_it_has_begun_or_not(begun: bool) -> None:
    async with staged(Puppet(booted=begun, traits=PREDICTOR)) as stage:
        terms = Terms(deadline=stage.clock.clock.wall() + 5, asked={"a": 1}, kept_s=60)
        call, found = await stage.gateway.start(
            "demo", ASKED, key=ANN, surface="test", grace=None, addressed=True, terms=terms
        )
        assert (call.generation.asked, call.generation.kept_s) == ({"a": 1}, 60)
        state = State.RUNNING if begun else State.BOOTING
        stage.puppet.says(call.generation.id, Accepted(0))
        await until(lambda: call.generation.state is state)
        stage.clock.turn(5)
        end = await ended(found.log)
        assert isinstance(end, Canceled) and end.by == "deadline"
        assert (end.timings.started is not None) == begun
        await until(lambda: stage.puppet.running == 0)


def test_it_counts_no_tokens() -> None:
    assert measure(ASKED, 4096).most == 0


def test_its_answers_are_not_given_to_others() -> None:
    assert decide("all", LOCAL, ASKED, {}, PLAIN) == "predictor"


@pytest.mark.parametrize(
    ("traits", "prompt"),
    [(PREDICTOR, Prompt(texts=("a",))), (Traits(), ASKED)],
    ids=["a predictor asked in words", "a model of text asked with inputs"],
)
def test_who_asks_it_in_another_way_is_told_where_to(traits: Traits, prompt: Prompt) -> None:
    with pytest.raises(HearthError, match=r"use /.*/") as refused:
        check("m", traits, prompt)
    assert refused.value.parameter == "model"


def test_a_predictor_that_speaks_answers_chats_too() -> None:
    check("m", Traits(chat=True, schema={}), Prompt(messages=({"role": "user", "content": "hi"},)))


def test_watchers_see_its_values_files_and_figures() -> None:
    [(_, output), (_, figure)] = watch.frames([PICTURE, SAID[2]], 3)
    kept = {"id": "f1", "name": "out-0.png", "content_type": "image/png", "size": 12}
    assert output == {"o": 3, "n": 1, "value": "out-0", "files": {"out-0": kept}}
    assert figure == {"o": 4, "n": 1, "name": "image_count", "value": 1}
