"""The scripted engine keeps every promise of an engine, and each knob does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from engines.base import Delta, Engine, Prompt, Said
from engines.errors import EngineError
from engines.scripted.engine import ScriptedEngine
from engines.scripted.script import parse
from tests.engines.asking import ask, chat, said_in
from tests.engines.contract import EngineContract
from tests.engines.embedding_contract import EmbeddingContract, numbers


async def warm(**knobs: str) -> ScriptedEngine:
    engine = ScriptedEngine(parse(knobs))
    await engine.start(lambda stage: None)
    return engine


class TestContract(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        engine = await warm(tokens="1000", token_ms="0", context_length="100")
        yield engine
        await engine.close()


class TestEmbeddingContract(EmbeddingContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        engine = await warm(embeds="true", prefill_ms="20", context_length="100")
        yield engine
        await engine.close()


async def test_vectors_are_as_long_as_asked() -> None:
    engine = await warm(embeds="true", dimensions="12")
    whole = await engine.embed("x", Prompt(texts=("a fox",)))
    short = await engine.embed("x", Prompt(texts=("a fox",), parameters={"dimensions": 5}))
    assert [len(numbers(embeddings.vectors[0])) for embeddings in (whole, short)] == [12, 5]


async def test_an_engine_that_answers_does_not_embed() -> None:
    with pytest.raises(EngineError) as refused:
        await (await warm()).embed("x", Prompt(texts=("a fox",)))
    assert refused.value.code == "invalid_request"


async def test_the_same_prompt_gets_the_same_words() -> None:
    engine = await warm()
    first, second = await ask(engine, chat("one")), await ask(engine, chat("one"))
    assert first.deltas == second.deltas
    assert first.text() != (await ask(engine, chat("two"))).text()


async def test_it_says_the_answer_it_was_given() -> None:
    answer = await ask(await warm(answer="Once upon a time."), chat("story"))
    assert answer.text() == "Once upon a time."
    assert answer.finishes() == ["stop"]


async def test_it_says_the_json_it_was_given() -> None:
    answer = await ask(await warm(json='{"name": "Ada"}'), chat("who?"))
    assert answer.text() == '{"name": "Ada"}'
    assert len(answer.deltas) == 4


async def test_a_stop_string_ends_the_answer_before_it() -> None:
    answer = await ask(await warm(answer="one two. three"), chat("count", stop=["."]))
    assert answer.text() == "one two"
    assert answer.finishes() == ["stop"]
    assert answer.deltas[-1].stop == "."


async def test_it_calls_the_tool_it_was_given() -> None:
    answer = await ask(await warm(tool="look", tokens="3"), chat("look!"))
    fragments = [delta.tool_calls[0]["function"] for delta in answer.deltas]
    assert fragments[0]["name"] == "look"
    assert "".join(fragment["arguments"] for fragment in fragments) == '{"token": 0}'
    assert answer.finishes() == ["tool_calls"]


async def test_a_huge_word_is_as_long_as_asked() -> None:
    answer = await ask(await warm(tokens="2", word_bytes="5000"), chat("x"))
    assert [len(delta.text) for delta in answer.deltas] == [5000, 5000]


async def test_a_stalled_engine_gives_nothing_more() -> None:
    engine = await warm(stall_at="2")
    answer = engine.generate("x", chat("x"))
    for _ in range(3):
        await anext(answer)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(answer)


async def test_a_failing_token_fails_its_generation_alone() -> None:
    engine = await warm(fail_at="2", tokens="5")
    with pytest.raises(EngineError) as failed:
        await ask(engine, chat("x"))
    assert failed.value.code == "engine_failed"
    await engine.beat()


async def test_an_engine_that_does_not_continue_says_so_before_the_first_chunk() -> None:
    engine = await warm(continues="false")
    with pytest.raises(EngineError) as refused:
        await ask(engine, chat("x"), said=(Said(tokens=(0,), text="one"),))
    assert refused.value.code == "cannot_continue"
    assert (await ask(engine, chat("x"), said=(Said(),))).finishes() == ["stop"]


async def test_a_tool_call_that_was_begun_is_not_continued() -> None:
    with pytest.raises(EngineError) as refused:
        await ask(await warm(tool="look"), chat("x"), said=(Said(tokens=(0,), tool_calls=True),))
    assert refused.value.code == "cannot_continue"


async def test_an_answer_that_crashes_each_time_gets_further_each_time() -> None:
    engine, prompt = await warm(crash_at="3", tokens="8", token_ms="1"), chat("x")
    deltas: list[Delta] = []
    for _ in range(3):
        await engine.start(lambda stage: None)
        with suppress(EngineError):
            async for chunk in engine.generate("x", prompt, said_in(prompt, deltas)):
                if isinstance(chunk, Delta):
                    deltas.append(chunk)
    assert [delta.tokens for delta in deltas] == [(index,) for index in range(8)]


async def test_a_crash_reaches_every_generation() -> None:
    engine = await warm(crash_at="3", token_ms="1")
    outcomes = await asyncio.gather(*(ask(engine, chat("x"), str(i)) for i in range(4)), return_exceptions=True)
    assert {getattr(outcome, "code", outcome) for outcome in outcomes} == {"engine_died"}
    assert await engine.died()


async def test_a_boot_can_fail() -> None:
    with pytest.raises(EngineError) as failed:
        await warm(boot_fails="true")
    assert failed.value.code == "boot_failed"


@pytest.mark.parametrize("knobs", [{"token_ms": "soon"}, {"nonsense": "1"}, {"tokens": "-5"}, {"token_ms": "nan"}])
def test_a_knob_it_does_not_know_is_told(knobs: dict[str, str]) -> None:
    with pytest.raises(EngineError) as refused:
        parse(knobs)
    assert refused.value.code == "bad_model_source"
    assert next(iter(knobs)) in refused.value.message
