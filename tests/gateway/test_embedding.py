"""A call for vectors: let in, run and settled as every run, without a log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from engines.base import Embeddings, Prompt, Traits
from engines.base import State as Warmth
from engines.errors import EngineError
from engines.model import Model
from engines.pool import Pool
from engines.seat import Place
from gateway.admission import Admission, Outcome, Spared
from gateway.embedding import Embedding
from gateway.errors import HearthError
from gateway.events import Canceled, Failed, Finished
from gateway.generation import Generation
from gateway.keys import Key
from gateway.measure import measure
from gateway.metrics import Metrics
from tests.gateway.puppet import ANN, Puppet
from tests.turning import Turned
from tests.waiting import until

TEXT = Prompt(texts=("a fox",))
MADE = Embeddings((b"\0\0\x80?",), 3)


class Watched:
    """An admission that a test looks at."""

    def __init__(self) -> None:
        self.headers: Mapping[str, str] = {"x-admitted": "1"}
        self.on_stop: Callable[[HearthError], None] = lambda error: None
        self.may_begin = asyncio.Event()
        self.may_begin.set()
        self.outcomes: list[Outcome | None] = []

    async def turn(self) -> AsyncGenerator[str]:
        yield "in line"
        await self.may_begin.wait()

    async def close(self, outcome: Outcome | None) -> None:
        self.outcomes.append(outcome)


class Doorkeeper:
    """A gate that lets everybody in, unless it is told not to."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.admitted: list[Generation] = []
        self.refusal: HearthError | None = None
        self.admission = Watched()

    async def enter(self, key: Key, model: str) -> Mapping[str, str]:
        self.entered.append(key.id)
        return {"x-entered": "1"}

    async def admit(self, generation: Generation, key: Key) -> Admission:
        if self.refusal is not None:
            raise self.refusal
        self.admitted.append(generation)
        return self.admission

    async def inherit(self, generation: Generation) -> Admission:
        raise AssertionError("nobody goes on with a call that has no log")

    def spared(self, spared: Spared) -> None: ...

    async def tick(self) -> None: ...

    async def close(self) -> None: ...


class Stage(NamedTuple):
    """One puppet that embeds, behind a gate."""

    embedding: Embedding
    model: Model
    puppet: Puppet
    gate: Doorkeeper
    clock: Turned

    @property
    def outcome(self) -> Outcome:
        """How the only run ended."""
        [outcome] = self.gate.admission.outcomes
        assert outcome is not None
        return outcome


@asynccontextmanager
async def staged(puppet: Puppet | None = None, silence_s: float = 60) -> AsyncIterator[Stage]:
    clock, gate, puppet = Turned(), Doorkeeper(), puppet or Puppet(traits=Traits(embeds=True))
    pool = Pool([Place("demo", "demo", puppet)], clock)
    try:
        yield Stage(Embedding(pool, gate, clock.clock, Metrics(), silence_s), pool.models["demo"], puppet, gate, clock)
    finally:
        await pool.close()


async def test_a_cold_model_is_booted_and_the_call_paid_for() -> None:
    async with staged() as stage:
        call = asyncio.create_task(stage.embedding.embed(stage.model, TEXT, ANN))
        await until(lambda: stage.puppet.running == 1)
        stage.clock.turn(2)
        stage.puppet.embeds(MADE)
        made = await call
        assert made.embeddings == MADE
        assert made.headers == {"x-entered": "1", "x-admitted": "1"}
        [admitted] = stage.gate.admitted
        assert (admitted.prompt.texts, measure(admitted.prompt, 100).output_most) == (TEXT.texts, 0)
        assert admitted.key == ANN.id
        assert isinstance(stage.outcome.terminal, Finished)
        assert stage.outcome.terminal.usage.prompt_tokens == 3
        assert stage.outcome.seconds == 2


async def test_the_engine_is_asked_when_it_is_ones_turn() -> None:
    async with staged() as stage:
        stage.gate.admission.may_begin.clear()
        call = asyncio.create_task(stage.embedding.embed(stage.model, TEXT, ANN))
        await until(lambda: bool(stage.gate.admitted))
        assert stage.model.state is Warmth.COLD
        stage.puppet.embeds(MADE)
        stage.gate.admission.may_begin.set()
        assert (await call).embeddings == MADE


async def test_a_model_that_answers_makes_no_vectors_and_nothing_is_counted() -> None:
    async with staged(Puppet(traits=Traits(embeds=False))) as stage:
        with pytest.raises(HearthError) as refused:
            await stage.embedding.embed(stage.model, TEXT, ANN)
        assert (refused.value.code, refused.value.parameter) == ("invalid_request", "model")
        assert stage.gate.entered == []


async def test_who_is_not_admitted_reaches_no_engine() -> None:
    async with staged() as stage:
        stage.gate.refusal = HearthError("budget_exceeded")
        with pytest.raises(HearthError, match="budget_exceeded"):
            await stage.embedding.embed(stage.model, TEXT, ANN)
        assert stage.model.state is Warmth.COLD
        assert stage.gate.admission.outcomes == []


async def test_what_the_engine_has_against_it_is_told_and_settled() -> None:
    async with staged() as stage:
        stage.puppet.embeds(EngineError("context_length_exceeded", "Too long.", parameter="input"))
        with pytest.raises(HearthError) as refused:
            await stage.embedding.embed(stage.model, TEXT, ANN)
        assert (refused.value.code, refused.value.parameter) == ("context_length_exceeded", "input")
        assert isinstance(stage.outcome.terminal, Failed)
        assert stage.outcome.terminal.code == "context_length_exceeded"


async def test_a_boot_that_fails_is_told_and_settled() -> None:
    puppet = Puppet(traits=Traits(embeds=True))
    puppet.boot_error = EngineError("boot_failed", "No such folder.")
    async with staged(puppet) as stage:
        with pytest.raises(HearthError, match="No such folder"):
            await stage.embedding.embed(stage.model, TEXT, ANN)
        assert stage.outcome.seconds == 0


async def test_another_engine_answers_when_one_dies_and_both_are_paid_for() -> None:
    async with staged() as stage:
        call = asyncio.create_task(stage.embedding.embed(stage.model, TEXT, ANN))
        await until(lambda: stage.puppet.running == 1)
        stage.clock.turn(1)
        stage.puppet.dies.set()
        stage.puppet.embeds(EngineError("engine_died", "It died."))
        await until(lambda: stage.puppet.starts == 2 and stage.puppet.running == 1)
        stage.clock.turn(1)
        stage.puppet.embeds(MADE)
        assert (await call).embeddings == MADE
        assert stage.outcome.seconds == 2


async def test_a_call_under_which_two_engines_die_is_over() -> None:
    async with staged() as stage:
        call = asyncio.create_task(stage.embedding.embed(stage.model, TEXT, ANN))
        for boot in (1, 2):
            await until(lambda boot=boot: stage.puppet.starts == boot and stage.puppet.running == 1)  # type: ignore[misc]
            stage.puppet.dies.set()
            stage.puppet.embeds(EngineError("engine_died", "It died."))
        with pytest.raises(HearthError, match="engine_died"):
            await call


async def test_an_engine_that_says_nothing_is_given_up() -> None:
    async with staged(silence_s=0.01) as stage:
        with pytest.raises(HearthError, match="engine_stalled"):
            await stage.embedding.embed(stage.model, TEXT, ANN)
        assert stage.puppet.running == 0


async def test_a_caller_who_leaves_frees_the_engine_and_pays() -> None:
    async with staged() as stage:
        call = asyncio.create_task(stage.embedding.embed(stage.model, TEXT, ANN))
        await until(lambda: stage.puppet.running == 1)
        stage.clock.turn(3)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        assert stage.puppet.running == 0
        assert isinstance(stage.outcome.terminal, Canceled)
        assert stage.outcome.seconds == 3


async def test_a_run_that_may_not_go_on_is_stopped_and_its_caller_told_why() -> None:
    async with staged() as stage:
        call = asyncio.create_task(stage.embedding.embed(stage.model, TEXT, ANN))
        await until(lambda: stage.puppet.running == 1)
        stage.gate.admission.on_stop(HearthError("budget_exceeded"))
        with pytest.raises(HearthError, match="budget_exceeded"):
            await call
        assert stage.puppet.running == 0
        assert isinstance(stage.outcome.terminal, Failed)


async def test_at_once_a_broken_model_is_left_alone() -> None:
    puppet = Puppet(traits=Traits(embeds=True))
    puppet.boot_error = EngineError("boot_failed", "No such folder.")
    async with staged(puppet) as stage:
        for _ in range(2):
            assert await stage.embedding.at_once(stage.model, "a fox", ANN) is None
            await until(lambda: stage.model.state is Warmth.BROKEN)
        assert puppet.starts == 1


async def test_at_once_there_is_a_vector_only_of_a_warm_model_and_a_cold_one_boots() -> None:
    async with staged() as stage:
        assert await stage.embedding.at_once(stage.model, "a fox", ANN) is None
        await until(lambda: stage.model.state is Warmth.WARM)
        stage.puppet.embeds(MADE)
        assert await stage.embedding.at_once(stage.model, "a fox", ANN) == MADE.vectors[0]
        assert stage.gate.entered == []
        assert len(stage.gate.admitted) == 1
        stage.gate.refusal = HearthError("budget_exceeded")
        assert await stage.embedding.at_once(stage.model, "a fox", ANN) is None
