"""Predictions in a SQLite file keep the contract, between processes and for as long as they should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import HearthError
from gateway.predictions import sqlite
from gateway.predictions.base import REMEMBERED_S, Query
from gateway.predictions.sqlite import SqlitePredictions
from tests.gateway.predictions.contract import (
    LEASE_S,
    NOON,
    Bench,
    PredictionsContract,
    a_record,
    a_try,
    an_ending,
    end,
    keep,
)
from tests.turning import Turned


class TestPredictionsInMemory(PredictionsContract):
    @pytest.fixture
    async def bench(self) -> AsyncIterator[Bench]:
        clock = Turned(NOON)
        store = SqlitePredictions(None, clock)
        yield Bench(store, store, clock.turn)
        await store.close()


class TestPredictionsInAFile(PredictionsContract):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[Bench]:
        clock, file = Turned(NOON), tmp_path / "hearth.db"
        here, elsewhere = SqlitePredictions(file, clock), SqlitePredictions(file, clock)
        yield Bench(here, elsewhere, clock.turn)
        for store in (here, elsewhere):
            await store.close()


async def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    store = SqlitePredictions(tmp_path / "hearth.db", Turned(NOON))
    [running, over] = await keep(store, a_record(), a_record())
    ended = await end(store, over)
    await store.let_go("one", [running.id])
    await store.close()
    store = SqlitePredictions(tmp_path / "hearth.db", Turned(NOON))
    assert await store.get(over.id) == ended
    assert await store.take("two", LEASE_S, 10) == [running]
    await store.close()


async def test_a_sweep_forgets_a_bounded_number_of_the_oldest_with_their_tries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite, "_AT_ONCE", 2)
    clock = Turned(NOON)
    store = SqlitePredictions(None, clock)
    for record in await keep(store, *(a_record(created=NOON + number) for number in range(3))):
        await store.delivered(record.id, a_try())
    clock.turn(REMEMBERED_S + 10)
    [new] = await keep(store, a_record(created=clock.now))
    await store.delivered(new.id, a_try())
    left = []
    for _ in range(3):
        await store.sweep()
        left.append(await _rows(store))
    assert left == [(2, 2), (1, 1), (1, 1)]
    await store.close()


async def _rows(store: SqlitePredictions) -> tuple[int, int]:
    counts = "SELECT (SELECT count(*) FROM predictions), (SELECT count(*) FROM deliveries)"
    predictions, deliveries = await store._database.run(lambda on: on.execute(counts).fetchone())
    return predictions, deliveries


async def test_to_ask_makes_no_file(tmp_path: Path) -> None:
    store = SqlitePredictions(tmp_path / "hearth.db", Turned(NOON))
    await store.sweep()
    assert (await store.page("shop", Query())).records == []
    assert await store.take("one", LEASE_S, 10) == []
    assert await store.renew("one", ["a"], LEASE_S) == set()
    assert await store.ended("a", an_ending()) is None
    assert not list(tmp_path.iterdir())
    await store.close()


async def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    store = SqlitePredictions(tmp_path, Turned(NOON))
    with pytest.raises(HearthError) as told:
        await store.add(a_record(), "one", LEASE_S)
    assert told.value.code == "state_unavailable"
    assert str(tmp_path) not in told.value.message
    await store.close()
