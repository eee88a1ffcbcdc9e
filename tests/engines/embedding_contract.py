"""What every engine that embeds promises. A backend's own test file subclasses this and provides a warm `engine`."""

from __future__ import annotations

import array
import asyncio
import math

import pytest

from engines.base import Engine, Prompt
from engines.errors import EngineError
from tests.engines.asking import ask, until_idle
from tests.waiting import until

SLOW = Prompt(texts=("fox " * 90,) * 400)
"""Takes a while, on any engine."""


def numbers(vector: bytes) -> list[float]:
    """A vector as an engine gives it, as numbers."""
    return array.array("f", vector).tolist()


def cosine(one: bytes, other: bytes) -> float:
    """How alike two vectors are: 1 for the same direction."""
    a, b = numbers(one), numbers(other)
    return sum(map(float.__mul__, a, b)) / math.hypot(*a) / math.hypot(*b)


class EmbeddingContract:
    """`engine` is warm, embeds, and takes texts of up to `traits.context_length`; `SLOW` keeps it busy."""

    async def test_it_says_that_it_embeds(self, engine: Engine) -> None:
        assert engine.traits.embeds is True
        assert engine.traits.chat is False

    async def test_every_text_has_its_vector_in_order(self, engine: Engine) -> None:
        texts = ("a fox in the snow", "taxes are due in May", "the fox sleeps")
        alone = [(await engine.embed("alone", Prompt(texts=(text,)))).vectors[0] for text in texts]
        together = await engine.embed("together", Prompt(texts=texts))
        assert len(together.vectors) == 3
        assert len({len(vector) for vector in together.vectors}) == 1
        for mine, same in zip(together.vectors, alone, strict=True):
            assert cosine(mine, same) > 0.9999

    async def test_vectors_have_length_one(self, engine: Engine) -> None:
        [vector] = (await engine.embed("one", Prompt(texts=("a fox in the snow",)))).vectors
        assert math.hypot(*numbers(vector)) == pytest.approx(1, abs=1e-3)

    async def test_like_texts_are_near_and_others_are_not(self, engine: Engine) -> None:
        texts = ("how do I bake a loaf of bread?", "how do I bake a bread?", "the rocket left for Mars")
        bread, same, rocket = (await engine.embed("near", Prompt(texts=texts))).vectors
        assert cosine(bread, same) > 0.7 > 0.4 > cosine(bread, rocket)

    async def test_tokens_are_counted_over_all_texts(self, engine: Engine) -> None:
        one, two = [(await engine.embed("count", Prompt(texts=("a fox",) * n))).prompt_tokens for n in (1, 2)]
        assert two == 2 * one > 0

    async def test_token_ids_are_texts_too(self, engine: Engine) -> None:
        embeddings = await engine.embed("tokens", Prompt(texts=((5, 6, 7), "a fox")))
        assert len(embeddings.vectors) == 2

    async def test_calls_made_at_once_do_not_cross(self, engine: Engine) -> None:
        texts = [f"a story about the number {number} and {number * 7}" for number in range(20)]
        alone = [(await engine.embed("alone", Prompt(texts=(text,)))).vectors[0] for text in texts]
        made = await asyncio.gather(*(engine.embed(f"at-once-{i}", Prompt(texts=(t,))) for i, t in enumerate(texts)))
        for mine, same in zip(made, alone, strict=True):
            assert cosine(mine.vectors[0], same) > 0.9999

    async def test_a_text_that_does_not_fit_is_refused(self, engine: Engine) -> None:
        assert engine.traits.context_length
        with pytest.raises(EngineError) as refused:
            await engine.embed("long", Prompt(texts=("fine", "fox " * (engine.traits.context_length + 10))))
        assert (refused.value.code, refused.value.parameter) == ("context_length_exceeded", "input")
        assert engine.running == 0

    async def test_more_dimensions_than_there_are_are_refused(self, engine: Engine) -> None:
        with pytest.raises(EngineError) as refused:
            await engine.embed("wide", Prompt(texts=("a fox",), parameters={"dimensions": 1_000_000}))
        assert refused.value.code == "invalid_request"

    async def test_a_prompt_to_answer_is_refused(self, engine: Engine) -> None:
        with pytest.raises(EngineError) as refused:
            await ask(engine, Prompt(texts=("Once upon a time",), parameters={"max_tokens": 1}))
        assert refused.value.code == "invalid_request"
        assert engine.running == 0

    async def test_to_cancel_a_call_frees_the_engine(self, engine: Engine) -> None:
        call = asyncio.create_task(engine.embed("left", SLOW))
        await until(lambda: engine.running > 0)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        await until_idle(engine, 0.25)
        assert (await engine.embed("next", Prompt(texts=("a fox",)))).vectors

    async def test_a_beat_computes_a_vector(self, engine: Engine) -> None:
        await engine.beat()

    async def test_a_stop_fails_what_still_runs_and_a_start_serves_again(self, engine: Engine) -> None:
        call = asyncio.create_task(engine.embed("cut", SLOW))
        await until(lambda: engine.running > 0)
        await engine.stop()
        with pytest.raises(EngineError) as failed:
            await asyncio.wait_for(call, 10)
        assert failed.value.code == "engine_died"
        with pytest.raises(EngineError) as refused:
            await engine.embed("gone", Prompt(texts=("a fox",)))
        assert refused.value.code == "engine_died"
        await engine.start(lambda stage: None)
        assert (await engine.embed("back", Prompt(texts=("a fox",)))).vectors
