"""Real vLLM on a real embedding model: every promise of an engine that embeds, alone and shared by workers."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from cache.base import Label
from cache.semantic import Question, Semantic
from cache.vectors.memory import MemoryVectors
from engines import registry
from engines.base import Engine, Prompt
from engines.errors import EngineError
from engines.pool import Pool
from engines.seat import Place
from engines.vllm.engine import VllmEngine
from engines.vllm.sharing import Asker, Broker, ToWorker, Warm
from gateway.tables import ModelTable
from tests.cache.questions import OTHER, SAME
from tests.engines.embedding_contract import SLOW, EmbeddingContract, cosine, numbers
from tests.minilm import minilm
from tests.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def owner() -> AsyncIterator[VllmEngine]:
    """The model by itself: that it embeds is found out by vLLM. Warm; a test that stops it starts it again.

    Its steps are short: an abort is heeded between two of them.
    """
    engine = registry.build([registry.parse(f"minilm=vllm:{minilm()}?max_num_batched_tokens=512")])[0].engine
    assert isinstance(engine, VllmEngine)
    async with asyncio.timeout(200):
        await engine.start(lambda stage: None)
    yield engine
    await engine.close()


class TestContract(EmbeddingContract):
    @pytest.fixture
    def engine(self, owner: VllmEngine) -> Engine:
        return owner


async def test_its_vectors_are_those_of_the_model(owner: VllmEngine) -> None:
    # As sentence-transformers computes them: the mean over tokens, then length one.
    [vector] = (await owner.embed("known", Prompt(texts=("This is an example sentence",)))).vectors
    assert len(numbers(vector)) == 384
    assert numbers(vector)[:4] == pytest.approx([0.0677, 0.0635, 0.0487, 0.0793], abs=2e-3)


@pytest.mark.parametrize(
    ("prompt", "parameter"),
    [
        (Prompt(texts=("x",), parameters={"temperature": 1}), "temperature"),
        (Prompt(texts=((10_000_000,),)), None),
        (Prompt(messages=({"role": "user", "content": "x"},)), "messages"),
    ],
)
async def test_what_vllm_does_not_take_is_refused_in_words(
    owner: VllmEngine, prompt: Prompt, parameter: str | None
) -> None:
    with pytest.raises(EngineError) as refused:
        await owner.embed("bad", prompt)
    assert (refused.value.code, refused.value.parameter) == ("invalid_request", parameter)
    assert refused.value.message
    assert owner.running == 0


async def test_questions_in_other_words_are_found_and_other_questions_are_not(owner: VllmEngine) -> None:
    # At the threshold that models have unless they are given another one.
    threshold = ModelTable.model_fields["semantic_threshold"].default
    semantic = Semantic(MemoryVectors(time.monotonic), deadline_s=30)

    async def embed(text: str) -> bytes | None:
        return (await owner.embed("question", Prompt(texts=(text,)))).vectors[0]

    async def found(pairs: Sequence[tuple[str, str]], scope: str) -> list[float]:
        """How alike each second question is to the first one of its pair, where that is found."""
        similarities = []
        for number, (one, other) in enumerate(pairs):
            first, second = [
                Question(text, f"{scope}-{number}", "minilm", Label("ann", "demo", "local")) for text in (one, other)
            ]
            await semantic.learn(first, await semantic.find(first, embed, threshold), "key", 60)
            similarities += [near.similarity for near in (await semantic.find(second, embed, threshold)).found]
        return similarities

    same = await found(SAME, "same")
    assert len(same) == len(SAME)
    assert all(threshold <= similarity <= 1.001 for similarity in same)
    assert await found(OTHER, "other") == []


async def test_an_embedding_alone_would_give_wrong_answers(owner: VllmEngine) -> None:
    # Why words are compared as well: should this fail one day, that may be given up.
    embeddings = await owner.embed("pairs", Prompt(texts=tuple(text for pair in OTHER for text in pair)))
    alike = [cosine(*embeddings.vectors[at : at + 2]) for at in range(0, len(embeddings.vectors), 2)]
    assert sum(similarity >= 0.95 for similarity in alike) > len(OTHER) / 2


async def test_vllm_itself_lets_go_of_what_was_left(owner: VllmEngine) -> None:
    call = asyncio.create_task(owner.embed("left", SLOW))
    async with asyncio.timeout(20):
        while not await held(owner):
            pass
    call.cancel()
    async with asyncio.timeout(10):
        while await held(owner):
            pass


async def held(engine: VllmEngine) -> float:
    """How many texts vLLM has under way, by its own count."""
    counts = re.findall(r"^vllm:num_requests_(?:running|waiting){[^}]*} (\S+)$", await engine.metrics(), re.MULTILINE)
    assert counts
    return sum(map(float, counts))


async def test_the_death_of_the_host_fails_every_call(owner: VllmEngine) -> None:
    calls = [asyncio.create_task(owner.embed(f"dies-{i}", SLOW)) for i in range(3)]
    await until(lambda: owner.running == 3)
    assert owner.pid is not None
    os.kill(owner.pid, signal.SIGKILL)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {getattr(outcome, "code", outcome) for outcome in outcomes} == {"engine_died"}
    assert await asyncio.wait_for(owner.died(), 10)
    await owner.stop()
    await owner.start(lambda stage: None)


async def test_a_worker_that_shares_the_host_embeds_too(owner: VllmEngine) -> None:
    await owner.stop()
    pool = Pool([Place("minilm", "minilm", owner)], time.monotonic)
    broker = Broker(pool, {"minilm": owner}, time.monotonic)
    asker = Asker(lambda message: broker.hear(0, message))

    def hear(message: ToWorker) -> None:
        if not isinstance(message, Warm):
            asker.hear(message)

    broker.came(0, hear)
    worker = VllmEngine(asker.hosting("minilm"))
    broker.begin()
    try:
        await asyncio.wait_for(worker.start(lambda stage: None), 60)
        assert worker.traits.embeds is True
        assert len((await worker.embed("shared", Prompt(texts=("a fox", "an owl")))).vectors) == 2
    finally:
        await worker.close()
        await broker.close()
        await pool.cool("minilm")
        await owner.start(lambda stage: None)
