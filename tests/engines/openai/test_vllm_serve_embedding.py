"""A real `vllm serve` with a model of embeddings: every promise of an engine that embeds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from engines.base import Engine, Prompt
from engines.openai.engine import OpenAIEngine
from engines.openai.upstream import Upstream
from tests.engines.embedding_contract import EmbeddingContract, numbers
from tests.engines.openai.vllm_serve import vllm_serve
from tests.minilm import minilm

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with vllm_serve(minilm(), "minilm", "--max-num-batched-tokens", "512") as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream(url: str) -> AsyncIterator[OpenAIEngine]:
    engine = OpenAIEngine(Upstream(url=url))
    await engine.start(lambda stage: None)
    yield engine
    await engine.close()


class TestContract(EmbeddingContract):
    @pytest.fixture
    def engine(self, upstream: OpenAIEngine) -> Engine:
        return upstream


async def test_its_vectors_are_those_of_the_model(upstream: OpenAIEngine) -> None:
    # As sentence-transformers computes them: the mean over tokens, then length one.
    [vector] = (await upstream.embed("known", Prompt(texts=("This is an example sentence",)))).vectors
    assert len(numbers(vector)) == 384
    assert numbers(vector)[:4] == pytest.approx([0.0677, 0.0635, 0.0487, 0.0793], abs=2e-3)
