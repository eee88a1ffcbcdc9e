"""Every prediction is seen to its end, by one replica or the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import cast

import pytest

from gateway.events import Failed, Timings, Usage
from gateway.predictions import attendance
from gateway.predictions.attending import Attending
from gateway.predictions.base import Predictions
from gateway.predictions.record import Ending, Record
from gateway.predictions.sqlite import SqlitePredictions
from tests.gateway.predictions.contract import LEASE_S, NOON, same
from tests.gateway.predictions.following import House, Unsteady, ending, told
from tests.turning import Turned
from tests.waiting import until


@pytest.fixture
def clock() -> Turned:
    return Turned(NOON)


@pytest.fixture
async def store(clock: Turned) -> AsyncIterator[SqlitePredictions]:
    made = SqlitePredictions(None, clock)
    yield made
    await made.close()


@pytest.fixture
async def house() -> House:
    return House()


@pytest.fixture
async def here(house: House, store: SqlitePredictions) -> AsyncIterator[Attending]:
    made = Attending(house.parts(store), "here", LEASE_S)
    yield made
    await made.close()


@pytest.fixture
async def elsewhere(house: House, store: SqlitePredictions) -> AsyncIterator[Attending]:
    made = Attending(house.parts(store), "elsewhere", LEASE_S)
    yield made
    await made.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pauses before trying again."""
    monkeypatch.setattr(attendance, "_FIRST_PAUSE_S", 0.0)


SUCCEEDED = Ending("succeeded", NOON + 9)


async def test_who_has_a_webhook_is_told_of_an_end_that_is_written_down(
    house: House, store: SqlitePredictions, here: Attending
) -> None:
    record = await house.begin()
    house.hold.clear()
    await here.attend(record)
    await house.end(record)
    await until(lambda: house.followed[record.id] == 1)
    async with asyncio.timeout(10):
        while (kept := await store.get(record.id)) != same(record, ending=SUCCEEDED):
            assert kept == record
    house.hold.set()
    assert await told(store, record) == same(record, ending=SUCCEEDED, told=True)
    assert house.completed[record.id] == [(same(record, ending=SUCCEEDED), True)]
    await until(lambda: len(here) == 0)


async def test_an_end_is_written_down_at_once_while_somebody_is_still_told_of_the_course(
    house: House, store: SqlitePredictions, here: Attending
) -> None:
    record = await house.begin()
    house.listening.clear()
    await here.attend(record)
    await until(lambda: house.followed[record.id] == 1)
    await house.end(record)
    async with asyncio.timeout(10):
        while (kept := await store.get(record.id)) != same(record, ending=SUCCEEDED):
            assert kept == record
    assert house.completed == {} and len(here) == 1
    house.listening.set()
    assert await told(store, record) == same(record, ending=SUCCEEDED, told=True)
    assert house.completed[record.id] == [(same(record, ending=SUCCEEDED), True)]


async def test_the_end_of_a_prediction_without_a_webhook_is_written_down_too(
    house: House, store: SqlitePredictions, here: Attending
) -> None:
    record = await house.begin(hook=None)
    await here.attend(record)
    await house.end(record, Failed("engine_died", "it died", None, Usage(), Timings()))
    assert (await told(store, record)).ending == Ending("failed", NOON + 9, error="it died")
    assert house.completed == {}


async def test_a_prediction_whose_log_is_gone_has_failed(
    house: House, store: SqlitePredictions, here: Attending
) -> None:
    record = await house.begin()
    house.logs._logs.clear()
    await here.attend(record)
    ended = (await told(store, record)).ending
    assert ended == Ending("failed", NOON + 99, error="Its answer was lost when the server stopped.")
    assert house.completed[record.id] == [(same(record, ending=ended), False)]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("code", ["log_unavailable", "state_unavailable"])
async def test_a_log_that_cannot_be_reached_is_waited_for(
    house: House, store: SqlitePredictions, here: Attending, code: str
) -> None:
    record = await house.begin()
    house.away = code
    await here.attend(record)
    for _ in range(50):
        await asyncio.sleep(0)
    house.away = None
    await house.end(record)
    assert (await told(store, record)).ending == SUCCEEDED


@pytest.mark.usefixtures("quick")
async def test_a_log_that_was_lost_here_is_read_again(house: House, store: SqlitePredictions, here: Attending) -> None:
    record = await house.begin()
    await here.attend(record)
    await until(lambda: house.followed[record.id] == 1)
    log = house.logs._logs[record.generation]
    log.lose("lost_lease")
    await until(lambda: house.followed[record.id] > 1)
    log.lost = None
    await house.end(record)
    assert (await told(store, record)).ending == SUCCEEDED
    assert len(house.completed[record.id]) == 1
    await until(lambda: not log.readers)


@pytest.mark.usefixtures("quick")
async def test_a_store_that_is_away_loses_no_end(house: House, store: SqlitePredictions) -> None:
    unsteady = Unsteady(store)
    here = Attending(house.parts(cast(Predictions, unsteady)), "here", LEASE_S)
    record = await house.begin()
    await here.attend(record)
    await until(lambda: house.followed[record.id] == 1)
    unsteady.failing = 20
    await house.end(record)
    assert (await told(store, record)).ending == SUCCEEDED
    assert unsteady.failing == 0
    assert len(house.completed[record.id]) == 1
    await here.close()


async def test_who_adds_what_another_attends_to_leaves_it_to_that_one(
    house: House, store: SqlitePredictions, here: Attending, elsewhere: Attending
) -> None:
    record = await house.begin()
    await here.attend(record)
    await elsewhere.attend(record)
    assert (len(here), len(elsewhere)) == (1, 0)


async def test_nobody_takes_a_record_that_is_renewed(
    house: House, store: SqlitePredictions, clock: Turned, here: Attending, elsewhere: Attending
) -> None:
    record = await house.begin()
    await here.attend(record)
    for _ in range(4):
        clock.turn(LEASE_S - 1)
        await here.round()
        await elsewhere.round()
    assert (len(here), len(elsewhere)) == (1, 0)


async def test_who_lost_a_lease_stops_and_the_next_one_tells(
    house: House, store: SqlitePredictions, clock: Turned, here: Attending, elsewhere: Attending
) -> None:
    record = await house.begin()
    await here.attend(record)
    await until(lambda: house.followed[record.id] == 1)
    clock.turn(LEASE_S + 1)
    await elsewhere.round()
    await here.round()
    await until(lambda: len(here) == 0)
    await house.end(record)
    assert (await told(store, record)).ending == SUCCEEDED
    assert len(house.completed[record.id]) == 1


async def test_what_is_let_go_of_at_the_end_is_taken_at_once(
    house: House, store: SqlitePredictions, here: Attending, elsewhere: Attending
) -> None:
    records = [await house.begin() for _ in range(5)]
    for record in records:
        await here.attend(record)
    await here.close()
    assert len(here) == 0
    await elsewhere.round()
    assert len(elsewhere) == 5
    for record in records:
        await house.end(record)
        assert (await told(store, record)).ending == SUCCEEDED


async def test_an_end_that_was_not_told_yet_is_written_down_by_who_closes(
    house: House, store: SqlitePredictions, here: Attending, elsewhere: Attending
) -> None:
    record = await house.begin()
    house.hold.clear()
    await here.attend(record)
    await until(lambda: house.followed[record.id] == 1)
    await house.end(record)
    await here.close()
    assert (await store.get(record.id)) == same(record, ending=SUCCEEDED)
    # The next process has no such log.
    house.logs._logs.clear()
    house.hold.set()
    await elsewhere.round()
    assert (await told(store, record)).ending == SUCCEEDED
    assert house.completed[record.id] == [(same(record, ending=SUCCEEDED), False)]
    assert house.followed[record.id] == 1


async def test_what_has_ended_is_not_followed_again(
    house: House, store: SqlitePredictions, clock: Turned, here: Attending
) -> None:
    record = await house.begin()
    await store.add(record, "gone", LEASE_S)
    await house.end(record)
    await store.ended(record.id, ending(house.logs._logs[record.generation]))
    clock.turn(LEASE_S + 1)
    await here.round()
    await told(store, record)
    assert house.completed[record.id] == [(same(record, ending=SUCCEEDED), True)]
    assert house.followed[record.id] == 0


async def test_more_than_there_is_room_for_wait_in_the_store(
    house: House, store: SqlitePredictions, clock: Turned
) -> None:
    here = Attending(house.parts(store), "here", LEASE_S, most=2)
    records = [await house.begin() for _ in range(5)]
    for record in records:
        await here.attend(record)
    assert len(here) == 2
    for record in records:
        await house.end(record)
    done = 0
    while done < len(records):
        await until(lambda: len(here) == 0)
        clock.turn(LEASE_S + 1)
        await here.round()
        assert len(here) <= 2
        done = len(house.completed)
    assert [len(house.completed[record.id]) for record in records] == [1] * 5
    await here.close()


async def test_an_errand_that_breaks_harms_no_other_and_is_tried_again(
    house: House, store: SqlitePredictions, clock: Turned, here: Attending, caplog: pytest.LogCaptureFixture
) -> None:
    house.breaks = 1
    [broken, well] = [await house.begin() for _ in range(2)]
    with caplog.at_level(logging.ERROR):
        for record in (broken, well):
            await here.attend(record)
        await until(lambda: len(here) == 1)
    assert broken.id in caplog.text and "secret" not in caplog.text
    for record in (broken, well):
        await house.end(record)
    await told(store, well)
    clock.turn(LEASE_S + 1)
    await here.round()
    assert (await told(store, broken)).ending == SUCCEEDED


async def test_the_leases_are_kept_while_the_store_comes_and_goes(
    house: House, store: SqlitePredictions, caplog: pytest.LogCaptureFixture
) -> None:
    unsteady = Unsteady(store)
    here = Attending(house.parts(cast(Predictions, unsteady)), "here", lease_s=0.003)
    unsteady.failing = 5
    here.begin()
    await until(lambda: unsteady.failing == 0)
    left: Record = await house.begin()
    await store.add(left, "gone", -1.0)
    await until(lambda: len(here) == 1)
    await here.close()
    assert not caplog.records
