"""A retry with the same key is answered by the first call's generation, where that is an answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import generate_latest

from engines.base import Accepted, Delta, Prompt
from engines.errors import EngineError
from gateway.call import Call
from gateway.claims.base import Claim
from gateway.claims.memory import MemoryClaims
from gateway.core import Deadlines
from gateway.errors import TABLE, HearthError
from gateway.events import Canceled, Failed, Finished, Opened, Timings, Usage
from gateway.generation import Generation, new_id
from gateway.idempotency import Idempotency, digest, name_of, stands
from gateway.keys import Key
from gateway.log.base import Retention
from gateway.log.local import Log
from gateway.log.memory import MemoryLogs
from tests.gateway.puppet import ANN, KEPT_S, Stage, staged
from tests.turning import Turned
from tests.waiting import until

KEY = "5f2d1c0a"
BOB = Key(id="key_bob", name="bob", namespace="bob")
ONCE = Prompt(texts=("once",))
ANSWER = (Accepted(1), Delta(0, "a", (1,), "stop"), None)


async def ask(
    stage: Stage, key: str | None = KEY, prompt: Prompt = ONCE, by: Key = ANN, surface: str = "test", **more: Any
) -> Call:
    call, _ = await stage.gateway.start("demo", prompt, key=by, surface=surface, idempotency_key=key, **more)
    return call


async def ended(stage: Stage, call: Call, *steps: Any) -> Log:
    """Let the puppet do that, and wait for the end."""
    stage.puppet.says(call.generation.id, *steps)
    log = await stage.gateway.open(call.generation.id, call.key.namespace)
    await until(lambda: log.ended and stage.gateway.running == 0)
    return log


# What a key and an ask are


@pytest.mark.parametrize("key", ["", "a b", "a\n", "schlüssel", "x" * 256, "\x7f", "a, b"])
def test_a_key_that_is_none_is_refused_by_its_name(key: str) -> None:
    with pytest.raises(HearthError, match="1 to 255 visible") as refused:
        name_of("ann", key)
    assert (refused.value.row.status, refused.value.parameter) == (400, "Idempotency-Key")
    assert not key or key not in refused.value.message


@pytest.mark.parametrize("key", ["x", '"5f2d-1c0a"', "x" * 255, "!~"])
def test_a_key_never_stands_in_its_name(key: str) -> None:
    assert len(name_of("ann", key)) == 64
    assert name_of("ann", key) == name_of("ann", key) != name_of("bob", key)


def test_an_owner_and_a_key_do_not_run_together() -> None:
    assert name_of("an", "nkey") != name_of("ann", "key")


def test_two_asks_are_alike_if_they_mean_the_same() -> None:
    chat = Prompt(messages=({"role": "user", "content": "hi"},), parameters={"temperature": 0, "top_p": 1})
    turned = Prompt(messages=({"content": "hi", "role": "user"},), parameters={"top_p": 1, "temperature": 0})
    assert digest("chat", "demo", chat) == digest("chat", "demo", turned)
    others = [
        digest("streams", "demo", chat),
        digest("chat", "other", chat),
        digest("chat", "demo", Prompt(messages=({"role": "user", "content": "ho"},), parameters=chat.parameters)),
        digest("chat", "demo", Prompt(messages=chat.messages, parameters={"temperature": 1, "top_p": 1})),
        digest("chat", "demo", Prompt(messages=chat.messages)),
    ]
    assert len({digest("chat", "demo", chat), *others}) == 6


# Which ends are answers


def a_log(*events: Any) -> Log:
    log = Log(Generation(id=new_id("gen"), owner="ann", model="demo", prompt=ONCE, created=1.0), "epoch")
    log.extend(events)
    return log


def test_what_runs_and_what_finished_is_the_answer() -> None:
    assert stands(a_log())
    assert stands(a_log(Opened("gen_a", "demo", 1.0), Delta(0, "a")))
    assert stands(a_log(Delta(0, "a"), Finished("stop", Usage(), Timings())))


@pytest.mark.parametrize("code", TABLE)
def test_a_failure_is_the_answer_unless_it_may_be_retried(code: str) -> None:
    assert stands(a_log(Failed(code, "", None, Usage(), Timings()))) is not TABLE[code].may_retry


def test_an_end_that_a_caller_chose_is_the_answer_and_no_other_cancel_is() -> None:
    assert stands(a_log(Canceled("caller", Usage(), Timings())))
    assert not stands(a_log(Canceled("abandoned", Usage(), Timings())))
    assert not stands(a_log(Canceled("shutdown", Usage(), Timings())))


# Through the door


async def test_a_retry_finds_what_runs_and_what_finished() -> None:
    async with staged() as stage:
        first = await ask(stage)
        running = await ask(stage)
        await ended(stage, first, *ANSWER)
        stage.clock.turn(60)
        finished = await ask(stage)
        assert not first.replayed and running.replayed and finished.replayed
        for again in (running, finished):
            assert (again.id, again.created, again.generation) == (first.id, first.created, first.generation)
        assert len(stage.puppet.said) == 1


async def test_calls_without_a_key_have_nothing_to_do_with_each_other() -> None:
    async with staged() as stage:
        calls = [await ask(stage, None) for _ in range(3)]
        assert len({call.id for call in calls}) == 3
        assert not any(call.replayed for call in calls)


async def test_of_many_equal_calls_at_once_one_generates() -> None:
    async with staged() as stage:
        calls = await asyncio.gather(*(ask(stage) for _ in range(50)))
        assert len({call.id for call in calls}) == 1
        assert sum(not call.replayed for call in calls) == 1
        assert stage.gateway.running == 1


async def test_another_ask_with_the_key_is_refused_whatever_became_of_the_first() -> None:
    async with staged() as stage:
        first = await ask(stage)
        await refuse_another(stage)
        await ended(stage, first, EngineError("engine_failed", "So it is."))
        await refuse_another(stage)


async def refuse_another(stage: Stage) -> None:
    with pytest.raises(HearthError, match="idempotency_mismatch") as refused:
        await ask(stage, prompt=Prompt(texts=("twice",)))
    assert (refused.value.row.status, refused.value.row.may_retry) == (422, False)


async def test_the_key_of_another_owner_is_another_key() -> None:
    async with staged() as stage:
        ann, bob = await ask(stage), await ask(stage, by=BOB, prompt=Prompt(texts=("twice",)))
        assert ann.id != bob.id and not bob.replayed


async def test_what_failed_and_may_be_retried_is_generated_anew() -> None:
    async with staged() as stage:
        first = await ask(stage)
        await ended(stage, first, EngineError("engine_failed", "So it is."))
        second = await ask(stage)
        assert not second.replayed and second.id != first.id
        assert (await ask(stage)).id == second.id


async def test_what_the_engine_refused_is_refused_again_without_asking_it() -> None:
    async with staged() as stage:
        first = await ask(stage)
        await ended(stage, first, EngineError("context_length_exceeded", "So it is."))
        assert (await ask(stage)).id == first.id


async def test_what_its_caller_stopped_stays_stopped() -> None:
    async with staged() as stage:
        first = await ask(stage)
        await stage.gateway.cancel(first.generation.id, "ann")
        assert (await ask(stage)).id == first.id


async def test_an_answer_no_longer_kept_is_told_and_not_paid_for_twice() -> None:
    async with staged(retention=Retention(ended_s=10)) as stage:
        await ended(stage, await ask(stage), *ANSWER)
        stage.clock.turn(11)
        await stage.logs.sweep()
        with pytest.raises(HearthError, match="send a new key") as refused:
            await ask(stage)
        assert refused.value.code == "expired"
        stage.clock.turn(KEPT_S)
        assert not (await ask(stage)).replayed


async def test_a_call_that_was_refused_leaves_its_key_free() -> None:
    async with staged(deadlines=Deadlines(running=1)) as stage:
        running = await ask(stage, "other")
        with pytest.raises(HearthError, match="overloaded"):
            await ask(stage)
        with pytest.raises(HearthError, match="unknown_model"):
            await stage.gateway.start("nobody", ONCE, key=ANN, surface="test", idempotency_key=KEY)
        await ended(stage, running, *ANSWER)
        assert not (await ask(stage, prompt=Prompt(texts=("twice",)))).replayed


async def test_a_full_server_still_answers_a_retry() -> None:
    async with staged(deadlines=Deadlines(running=1)) as stage:
        first = await ask(stage)
        assert (await ask(stage)).id == first.id


async def test_a_generation_with_a_key_waits_for_its_retry() -> None:
    async with staged(deadlines=Deadlines(retry_s=30)) as stage:
        assert (await ask(stage)).generation.grace == 30
        assert (await ask(stage, "longer", grace=60.0)).generation.grace == 60
        assert (await ask(stage, "forever", grace=None)).generation.grace is None
        assert (await ask(stage, None)).generation.grace == 0


async def test_a_generation_that_nobody_came_back_to_is_begun_anew() -> None:
    async with staged(deadlines=Deadlines(retry_s=0)) as stage:
        first = await ask(stage)
        log = await stage.gateway.open(first.generation.id, "ann")
        with stage.gateway.reading(log):
            pass
        await until(lambda: log.ended)
        assert (await ask(stage)).id != first.id


async def test_replays_are_counted() -> None:
    async with staged() as stage:
        for _ in range(3):
            await ask(stage)
        told = generate_latest(stage.gateway._metrics.registry).decode()
        assert 'hearth_idempotent_replays_total{model="demo",surface="test"} 2.0' in told
        assert 'hearth_generations_started_total{model="demo",surface="test"} 1.0' in told


# A replica that died between its claim and its generation


async def test_a_claim_whose_generation_never_began_makes_room_after_a_while() -> None:
    clock = Turned()
    claims, logs = MemoryClaims(clock, KEPT_S), MemoryLogs(clock)
    lost, mine = (Generation(id=new_id("gen"), owner="ann", model="demo", prompt=ONCE, created=1.0) for _ in range(2))
    await claims.claim(name_of("ann", KEY), Claim(lost.id, digest("test", "demo", ONCE)))
    clock.turn(4)

    async def retry() -> Generation | None:
        async with Idempotency(claims, logs, begin_s=5).claimed(KEY, mine, "test") as earlier:
            return earlier

    trying = asyncio.create_task(retry())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not trying.done()
    clock.turn(1)
    assert await asyncio.wait_for(trying, 5) is None


async def test_a_claim_whose_generation_is_about_to_begin_is_waited_for() -> None:
    clock = Turned()
    claims, logs = MemoryClaims(clock, KEPT_S), MemoryLogs(clock)
    first, mine = (Generation(id=new_id("gen"), owner="ann", model="demo", prompt=ONCE, created=1.0) for _ in range(2))
    await claims.claim(name_of("ann", KEY), Claim(first.id, digest("test", "demo", ONCE)))

    async def retry() -> Generation | None:
        async with Idempotency(claims, logs).claimed(KEY, mine, "test") as earlier:
            return earlier

    trying = asyncio.create_task(retry())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not trying.done()
    await logs.create(first)
    assert await asyncio.wait_for(trying, 5) is first
