"""A question finds the entries of like ones, in its own place only, and waits for nobody."""

from __future__ import annotations

import asyncio

import pytest

from cache.base import Label, Unavailable, Which
from cache.semantic import Question, Semantic, Sought
from cache.vectors.base import Near
from cache.vectors.memory import MemoryVectors
from tests.cache.vectors.contract import EAST, NORTH, vector
from tests.turning import Turned

ANNS = Label("ann", "demo", "key_a")
FIRST = Question("How do I reset my password?", "scope", "minilm@1", ANNS)
AGAIN = FIRST._replace(text="How can I reset my password?")


async def east(text: str) -> bytes | None:
    return EAST


@pytest.fixture
def semantic() -> Semantic:
    return Semantic(MemoryVectors(Turned()), deadline_s=5)


async def learned(semantic: Semantic, question: Question = FIRST, key: str = "k") -> None:
    await semantic.learn(question, await semantic.find(question, east, 0.95), key, 60)


async def test_what_was_learned_is_found_by_other_words(semantic: Semantic) -> None:
    assert await semantic.find(FIRST, east, 0.95) == Sought((), EAST)
    await learned(semantic)
    [near] = (await semantic.find(AGAIN, east, 0.95)).found
    assert (near.fingerprint, near.text) == ("k", FIRST.text)
    assert near.similarity == pytest.approx(1)


async def test_words_that_mean_something_else_are_not_found_however_near(semantic: Semantic) -> None:
    await learned(semantic)
    never = FIRST._replace(text="How do I not reset my password?")
    assert (await semantic.find(never, east, 0.95)).found == ()


async def test_where_that_is_wanted_the_threshold_alone_decides(semantic: Semantic) -> None:
    await learned(semantic)
    forgot = FIRST._replace(text="I forgot my password, what now?")
    assert len((await semantic.find(forgot, east, 0.95, careful=False)).found) == 1


async def test_below_the_threshold_nothing_is_found(semantic: Semantic) -> None:
    await learned(semantic)

    async def near(text: str) -> bytes | None:
        return vector(1, 0.5, 0)

    assert (await semantic.find(AGAIN, near, 0.95)).found == ()
    assert len((await semantic.find(AGAIN, near, 0.8)).found) == 1


@pytest.mark.parametrize("other", [{"scope": "other"}, {"embedder": "minilm@2"}])
async def test_nothing_is_found_across_scopes_or_embedders(semantic: Semantic, other: dict[str, str]) -> None:
    await learned(semantic)
    assert (await semantic.find(AGAIN._replace(**other), east, 0.95)).found == ()  # type: ignore[arg-type]


async def test_what_was_forgotten_or_purged_is_not_found(semantic: Semantic) -> None:
    await learned(semantic)
    [near] = (await semantic.find(AGAIN, east, 0.95)).found
    await semantic.forget(AGAIN, near)
    assert (await semantic.find(AGAIN, east, 0.95)).found == ()
    await learned(semantic)
    assert await semantic.purge(Which(namespace="ann")) == 1
    assert (await semantic.find(AGAIN, east, 0.95)).found == ()


async def test_without_a_vector_nothing_is_found_and_nothing_learned(semantic: Semantic) -> None:
    async def cold(text: str) -> bytes | None:
        return None

    sought = await semantic.find(FIRST, cold, 0.95)
    assert sought == Sought()
    await semantic.learn(FIRST, sought, "k", 60)
    assert (await semantic.find(FIRST, east, 0.95)).found == ()


async def test_a_slow_embedder_holds_nobody_and_is_stopped() -> None:
    stopped = asyncio.Event()

    async def slow(text: str) -> bytes | None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return None

    assert await Semantic(MemoryVectors(Turned()), deadline_s=0.01).find(FIRST, slow, 0.95) == Sought()
    assert stopped.is_set()


class Absent(MemoryVectors):
    """An index that is away."""

    async def nearest(self, place: str, vector: bytes, least: float) -> list[Near]:
        raise Unavailable("away")

    async def add(self, place: str, fingerprint: str, text: str, vector: bytes, ttl_s: float, label: Label) -> None:
        raise Unavailable("away")

    async def remove(self, place: str, fingerprint: str) -> None:
        raise Unavailable("away")


async def test_an_absent_index_harms_nobody() -> None:
    semantic = Semantic(Absent(Turned()), deadline_s=5)
    sought = await semantic.find(FIRST, east, 0.95)
    assert sought == Sought((), EAST)
    await semantic.learn(FIRST, sought, "k", 60)
    await semantic.forget(FIRST, Near("k", FIRST.text, 1.0))


async def test_of_several_the_most_alike_is_the_first(semantic: Semantic) -> None:
    await learned(semantic, FIRST, "far")

    async def near(text: str) -> bytes | None:
        return vector(1, 0.1, 0)

    await semantic.learn(AGAIN, Sought((), vector(1, 0.2, 0)), "near", 60)
    await semantic.learn(AGAIN, Sought((), NORTH), "elsewhere", 60)
    assert [each.fingerprint for each in (await semantic.find(AGAIN, near, 0.9)).found] == ["near", "far"]
