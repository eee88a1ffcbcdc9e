"""What every index of vectors must keep. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from cache.base import Label, Which
from cache.vectors.base import MOST_NEAR, Vectors

TTL_S = 100.0
MOST = 20
ANNS, BOBS = Label("ann", "demo", "key_a"), Label("bob", "demo", "key_b")


@dataclass
class Bench:
    """One index of at most `MOST` questions, seen from two processes if it can be."""

    here: Vectors
    elsewhere: Vectors


def vector(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


EAST, NORTH, NORTHEAST = vector(1, 0, 0), vector(0, 1, 0), vector(1, 1, 0)


async def asked(index: Vectors, place: str, name: str, at: bytes, label: Label = ANNS) -> None:
    """Put a question there."""
    await index.add(place, name, f"is it {name}?", at, TTL_S, label)


class VectorsContract:
    async def test_what_is_alike_is_found_with_how_much_the_nearest_first(self, bench: Bench) -> None:
        await asked(bench.here, "p", "east", EAST)
        await asked(bench.here, "p", "northeast", NORTHEAST)
        await asked(bench.here, "p", "north", NORTH)
        found = await bench.elsewhere.nearest("p", EAST, 0.5)
        assert [(near.fingerprint, near.text) for near in found] == [
            ("east", "is it east?"),
            ("northeast", "is it northeast?"),
        ]
        assert [near.similarity for near in found] == pytest.approx([1, 0.7071], abs=1e-3)

    async def test_length_means_nothing(self, bench: Bench) -> None:
        await asked(bench.here, "p", "east", vector(5, 0, 0))
        [near] = await bench.elsewhere.nearest("p", vector(0.1, 0, 0), 0.99)
        assert near.similarity == pytest.approx(1, abs=1e-3)

    async def test_less_alike_than_asked_is_not_found(self, bench: Bench) -> None:
        await asked(bench.here, "p", "northeast", NORTHEAST)
        assert await bench.elsewhere.nearest("p", EAST, 0.71) == []
        assert len(await bench.elsewhere.nearest("p", EAST, 0.70)) == 1

    async def test_nothing_is_found_across_places(self, bench: Bench) -> None:
        await asked(bench.here, "p", "east", EAST)
        assert await bench.elsewhere.nearest("q", EAST, 0.5) == []

    async def test_no_more_is_found_than_may_be(self, bench: Bench) -> None:
        for number in range(MOST_NEAR + 3):
            await asked(bench.here, "p", str(number), EAST)
        assert len(await bench.elsewhere.nearest("p", EAST, 0.5)) == MOST_NEAR

    async def test_a_key_that_is_asked_again_is_moved(self, bench: Bench) -> None:
        await asked(bench.here, "p", "k", EAST)
        await asked(bench.elsewhere, "p", "k", NORTH)
        assert await bench.here.nearest("p", EAST, 0.5) == []
        assert [near.fingerprint for near in await bench.here.nearest("p", NORTH, 0.5)] == ["k"]

    async def test_what_is_removed_is_not_found_and_the_others_are(self, bench: Bench) -> None:
        for number in range(5):
            await asked(bench.here, "p", str(number), vector(1, number, 0))
        await bench.elsewhere.remove("p", "1")
        await bench.elsewhere.remove("p", "none")
        await bench.elsewhere.remove("none", "1")
        for number in (0, 2, 3, 4):
            near, *_ = await bench.here.nearest("p", vector(1, number, 0), 0.999)
            assert near.fingerprint == str(number)
        assert {near.fingerprint for near in await bench.here.nearest("p", vector(1, 1, 0), -1)} == {"0", "2", "3", "4"}

    async def test_a_vector_of_another_length_finds_nothing(self, bench: Bench) -> None:
        await asked(bench.here, "p", "east", EAST)
        assert await bench.elsewhere.nearest("p", vector(1, 0), 0.1) == []

    async def test_an_index_is_bounded(self, bench: Bench) -> None:
        for number in range(MOST * 2):
            await asked(bench.here, "p", f"k{number}", EAST)
        assert await bench.here.purge(Which()) == MOST

    async def test_a_purge_takes_what_is_meant(self, bench: Bench) -> None:
        await asked(bench.here, "p", "a", EAST, ANNS)
        await asked(bench.here, "q", "b", EAST, BOBS)
        await asked(bench.here, "r", "c", EAST, Label("ann", "other", "key_a"))
        assert await bench.elsewhere.purge(Which(namespace="ann", model="demo")) == 1
        assert await bench.elsewhere.nearest("p", EAST, 0.5) == []
        assert await bench.elsewhere.purge(Which(fingerprint="b")) == 1
        assert await bench.here.nearest("q", EAST, 0.5) == []
        assert len(await bench.here.nearest("r", EAST, 0.5)) == 1
        assert await bench.elsewhere.purge(Which(model="demo")) == 0
        await asked(bench.here, "r", "d", EAST, Label("ann", "other", "key_b"))
        assert await bench.elsewhere.purge(Which(key="key_b")) == 1
        assert [near.fingerprint for near in await bench.here.nearest("r", EAST, 0.5)] == ["c"]
        assert await bench.elsewhere.purge(Which()) == 1
