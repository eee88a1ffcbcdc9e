"""What every store of predictions must keep. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from gateway.generation import new_id
from gateway.predictions.base import REMEMBERED_S, TRIES, Delivery, Page, Predictions, Query
from gateway.predictions.record import ALL, Ending, Hook, Record, id_of

NOON = 1_795_003_200.0
"""2026-11-18, at noon."""
LEASE_S = 20.0
HOOK = Hook("https://shop.example/hook?secret=s")


@dataclass
class Bench:
    """One store, seen from two processes; `turn` lets seconds pass."""

    here: Predictions
    elsewhere: Predictions
    turn: Callable[[float], None]


def a_record(**more: Any) -> Record:
    generation = more.pop("generation", None) or new_id("gen")
    usual = {
        "id": id_of(generation),
        "generation": generation,
        "owner": "shop",
        "key": "key_a",
        "model": "acme/painter",
        "version": "5" * 64,
        "created": NOON,
        "address": "https://gw.example/replicate/v1",
    }
    return Record(**{**usual, **more})


def an_ending(completed: float = NOON + 5, **more: Any) -> Ending:
    return Ending(**{"status": "succeeded", "completed": completed, **more})


def a_try(at: float = NOON + 6, **more: Any) -> Delivery:
    return Delivery(**{"at": at, "happening": "completed", "message": "msg_a", **more})


def same(record: Record, **more: Any) -> Record:
    return msgspec.structs.replace(record, **more)


async def keep(store: Predictions, *records: Record, attendant: str = "one") -> list[Record]:
    for record in records:
        assert await store.add(record, attendant, LEASE_S)
    return list(records)


async def end(store: Predictions, record: Record, ending: Ending | None = None) -> Record:
    """Have it ended and told."""
    ending = ending or an_ending()
    await store.ended(record.id, ending)
    await store.told(record.id)
    return same(record, ending=ending, told=True)


class PredictionsContract:
    # Records

    async def test_a_record_is_found_whole_from_anywhere(self, bench: Bench) -> None:
        full = a_record(
            created=NOON + 0.123456,
            deployment="shop/fast",
            source="web",
            hook=Hook(HOOK.url, ("output", "completed")),
            deadline=NOON + 60.5,
        )
        [plain, full] = await keep(bench.here, a_record(), full)
        for store in (bench.here, bench.elsewhere):
            assert await store.get(full.id) == await store.get(full.id, "shop") == full
            assert await store.get(plain.id) == plain

    async def test_nobody_finds_what_is_not_theirs(self, bench: Bench) -> None:
        [record] = await keep(bench.here, a_record())
        assert await bench.here.get(record.id, "bakery") is None
        assert await bench.here.get("unknown") is None
        assert (await bench.here.page("bakery", Query())).records == []

    async def test_an_empty_store_has_nothing_of_anything(self, bench: Bench) -> None:
        assert await bench.here.page("shop", Query()) == Page([], newer=False, older=False)
        assert await bench.here.count(None, "acme/painter") == 0
        assert await bench.here.ended("unknown", an_ending()) is None
        assert await bench.here.renew("one", ["unknown"], LEASE_S) == set()
        assert await bench.here.take("one", LEASE_S, 10) == []
        assert await bench.here.deliveries("unknown") == []
        assert await bench.here.undelivered(None, 0.0, 10) == []
        await bench.here.told("unknown")
        await bench.here.delivered("unknown", a_try())
        await bench.here.let_go("one", ["unknown"])
        await bench.here.sweep()

    async def test_a_record_that_is_there_already_stays_as_it_is(self, bench: Bench) -> None:
        [record] = await keep(bench.here, a_record())
        assert not await bench.elsewhere.add(record, "two", LEASE_S)
        ended = await end(bench.here, record)
        assert not await bench.elsewhere.add(same(record, created=NOON + 1, model="acme/other"), "two", LEASE_S)
        assert await bench.here.get(record.id) == ended
        assert await bench.here.renew("two", [record.id], LEASE_S) == set()

    async def test_of_all_who_say_how_it_ended_the_first_is_right(self, bench: Bench) -> None:
        [record] = await keep(bench.here, a_record())
        first = an_ending(started=NOON + 1, metrics={"predict_time": 4.0, "words": ["a"]})
        assert await bench.here.ended(record.id, first) == same(record, ending=first)
        second = an_ending(status="failed", error="it broke")
        for store in (bench.here, bench.elsewhere):
            assert await store.ended(record.id, second) == await store.get(record.id) == same(record, ending=first)

    async def test_of_many_who_end_it_at_once_all_hear_of_the_same(self, bench: Bench) -> None:
        [record] = await keep(bench.here, a_record())
        stores = [bench.here, bench.elsewhere] * 10
        told = await asyncio.gather(
            *(store.ended(record.id, an_ending(NOON + number)) for number, store in enumerate(stores))
        )
        assert len({each.ending.completed for each in told if each is not None and each.ending is not None}) == 1

    async def test_records_are_counted_by_model_and_owner(self, bench: Bench) -> None:
        await keep(bench.here, *(a_record() for _ in range(3)), a_record(owner="bakery"), a_record(model="acme/other"))
        for store in (bench.here, bench.elsewhere):
            assert await store.count("shop", "acme/painter") == 3
            assert await store.count(None, "acme/painter") == 4
            assert await store.count("shop", "acme/nothing") == 0

    async def test_a_record_is_forgotten_when_its_time_is_over(self, bench: Bench) -> None:
        [old] = await keep(bench.here, a_record(hook=HOOK))
        await end(bench.here, old)
        await bench.here.delivered(old.id, a_try(status=500))
        bench.turn(REMEMBERED_S - 10)
        [new] = await keep(bench.here, a_record(created=NOON + REMEMBERED_S - 10))
        assert await bench.elsewhere.get(old.id) is not None
        bench.turn(11)
        for _ in range(2):
            assert await bench.elsewhere.get(old.id) is None
            assert (await bench.here.page("shop", Query())).records == [new]
            assert await bench.here.count("shop", "acme/painter") == 1
            assert await bench.here.undelivered(None, 0.0, 10) == []
            await bench.elsewhere.sweep()

    # Pages

    async def test_pages_go_back_in_time_and_forth_again(self, bench: Bench) -> None:
        records = await keep(bench.here, *(a_record(created=NOON + number) for number in range(7)))
        newest_first, store = records[::-1], bench.elsewhere
        first = await store.page("shop", Query(limit=3))
        assert first == Page(newest_first[:3], newer=False, older=True)
        second = await store.page("shop", Query(_before(first), limit=3))
        assert second == Page(newest_first[3:6], newer=True, older=True)
        third = await store.page("shop", Query(_before(second), limit=3))
        assert third == Page(newest_first[6:], newer=True, older=False)
        back = await store.page("shop", Query(_after(third), backwards=True, limit=3))
        assert back == second
        assert await store.page("shop", Query(_after(back), backwards=True, limit=3)) == first
        assert (await store.page("shop", Query(_after(first), backwards=True))).records == []

    async def test_a_page_that_just_holds_all_knows_of_no_more(self, bench: Bench) -> None:
        records = await keep(bench.here, *(a_record(created=NOON + number) for number in range(3)))
        assert await bench.here.page("shop", Query(limit=3)) == Page(records[::-1], newer=False, older=False)

    async def test_new_ones_that_come_meanwhile_move_no_page(self, bench: Bench) -> None:
        records = await keep(bench.here, *(a_record(created=NOON + number) for number in range(6)))
        first = await bench.here.page("shop", Query(limit=3))
        new = await keep(bench.here, *(a_record(created=NOON + 10 + number) for number in range(2)))
        second = await bench.here.page("shop", Query(_before(first), limit=3))
        assert second.records == records[2::-1]
        newest = await bench.here.page("shop", Query(_after(first), backwards=True))
        assert newest == Page(new[::-1], newer=False, older=True)

    async def test_many_of_one_moment_are_all_met_once(self, bench: Bench) -> None:
        moments = [NOON] * 5 + [NOON + 0.000001] * 5 + [NOON + 1]
        records = await keep(bench.here, *(a_record(created=moment) for moment in moments))
        seen, query = list[Record](), Query(limit=2)
        while (page := await bench.here.page("shop", query)).older:
            seen += page.records
            query = Query(_before(page), limit=2)
        seen += page.records
        assert seen == _sorted(records)

    async def test_any_question_is_answered_as_a_plain_list_would(self, bench: Bench) -> None:
        chance = Random(6)
        records = await keep(
            bench.here,
            *(
                a_record(
                    created=NOON + chance.randint(0, 9),
                    owner=chance.choice(["shop", "bakery"]),
                    source=chance.choice(["api", "web"]),
                    model=chance.choice(["acme/painter", "acme/other"]),
                )
                for _ in range(60)
            ),
        )
        for _ in range(150):
            edge = chance.choice(records)
            query = Query(
                before=chance.choice([None, (edge.created, edge.id)]),
                backwards=chance.random() < 0.5,
                created_after=chance.choice([None, NOON + chance.randint(-1, 9)]),
                created_before=chance.choice([None, NOON + chance.randint(0, 10)]),
                source=chance.choice([None, "api", "web"]),
                model=chance.choice([None, "acme/painter", "acme/other"]),
                limit=chance.randint(1, 12),
            )
            store = chance.choice([bench.here, bench.elsewhere])
            assert await store.page("shop", query) == _plain(records, query), query

    # Attending

    async def test_a_record_is_its_attendants_for_as_long_as_it_renews(self, bench: Bench) -> None:
        [record] = await keep(bench.here, a_record())
        for _ in range(3):
            bench.turn(LEASE_S - 5)
            assert await bench.elsewhere.take("two", LEASE_S, 10) == []
            assert await bench.here.renew("one", [record.id, "unknown"], LEASE_S) == {record.id}
        bench.turn(LEASE_S + 1)
        assert await bench.elsewhere.take("two", LEASE_S, 10) == [record]
        assert await bench.here.renew("one", [record.id], LEASE_S) == set()
        assert await bench.elsewhere.renew("two", [record.id], LEASE_S) == {record.id}

    async def test_a_lapsed_lease_that_nobody_took_may_be_renewed(self, bench: Bench) -> None:
        [record] = await keep(bench.here, a_record())
        bench.turn(LEASE_S + 1)
        assert await bench.here.renew("one", [record.id], LEASE_S) == {record.id}
        assert await bench.elsewhere.take("two", LEASE_S, 10) == []

    async def test_of_many_replicas_that_ask_one_gets_each_record(self, bench: Bench) -> None:
        records = await keep(bench.here, *(a_record() for _ in range(25)))
        bench.turn(LEASE_S + 1)
        stores = [bench.here, bench.elsewhere] * 5
        taken = await asyncio.gather(*(store.take(f"r{n}", LEASE_S, 4) for n, store in enumerate(stores)))
        assert max(map(len, taken)) <= 4
        assert sorted(record.id for each in taken for record in each) == sorted(record.id for record in records)

    async def test_what_is_let_go_of_is_taken_at_once_and_by_its_own_alone(self, bench: Bench) -> None:
        [mine, yours] = await keep(bench.here, a_record(), a_record())
        bench.turn(LEASE_S + 1)
        await bench.here.renew("one", [mine.id], LEASE_S)
        assert await bench.elsewhere.take("two", LEASE_S, 10) == [yours]
        await bench.here.let_go("one", [mine.id, yours.id])
        assert await bench.elsewhere.take("three", LEASE_S, 10) == [mine]

    async def test_what_is_told_is_attended_to_by_nobody(self, bench: Bench) -> None:
        [record] = await keep(bench.here, a_record())
        ended = await end(bench.here, record)
        assert await bench.here.renew("one", [record.id], LEASE_S) == set()
        await bench.here.let_go("one", [record.id])
        bench.turn(LEASE_S + 1)
        assert await bench.elsewhere.take("two", LEASE_S, 10) == []
        assert await bench.elsewhere.get(record.id) == ended

    async def test_who_takes_a_record_that_has_ended_hears_how(self, bench: Bench) -> None:
        [record] = await keep(bench.here, a_record(hook=HOOK))
        await bench.here.ended(record.id, an_ending())
        bench.turn(LEASE_S + 1)
        assert await bench.elsewhere.take("two", LEASE_S, 10) == [same(record, ending=an_ending())]

    # Deliveries

    async def test_tries_are_listed_in_their_order_and_the_last_ones_kept(self, bench: Bench) -> None:
        [record, other] = await keep(bench.here, a_record(), a_record())
        tries = [
            a_try(NOON, happening="start", status=200, seconds=0.25),
            a_try(NOON + 1, happening="output", error="no connection"),
            *(a_try(NOON + 2 + number, attempt=number, status=503) for number in range(TRIES)),
        ]
        for number, each in enumerate(tries):
            assert (await bench.elsewhere.deliveries(record.id)) == tries[:number]
            if number == 2:
                break
            await bench.here.delivered(record.id, each)
        for each in tries[2:]:
            await bench.here.delivered(record.id, each)
        assert await bench.elsewhere.deliveries(record.id) == tries[-TRIES:]
        assert await bench.here.deliveries(other.id) == []

    async def test_an_end_that_nobody_heard_is_found_until_it_is_heard(self, bench: Bench) -> None:
        [first, second, third] = await keep(bench.here, *(a_record(hook=HOOK, owner=o) for o in ("shop", "shop", "b")))
        ended = [
            await end(bench.here, record, an_ending(NOON + number))
            for number, record in enumerate((first, second, third))
        ]
        for record in (first, second, third):
            await bench.here.delivered(record.id, a_try(happening="start", status=200))
            await bench.here.delivered(record.id, a_try(status=500))
        store = bench.elsewhere
        assert await store.undelivered(None, NOON, 10) == ended[::-1]
        assert await store.undelivered("shop", NOON, 10) == ended[1::-1]
        assert await store.undelivered(None, NOON + 1, 10) == ended[:0:-1]
        assert await store.undelivered(None, NOON, 1) == ended[2:]
        await store.delivered(second.id, a_try(status=204))
        assert await bench.here.undelivered(None, NOON, 10) == [ended[2], ended[0]]

    async def test_no_end_is_missed_that_nobody_wants_or_that_is_still_told(self, bench: Bench) -> None:
        unwanted = [a_record(), a_record(hook=Hook(HOOK.url, ("start", "output", "logs")))]
        [heard, telling] = await keep(bench.here, a_record(hook=HOOK), a_record(hook=Hook(HOOK.url, ALL)))
        for record in await keep(bench.here, *unwanted):
            await end(bench.here, record)
        for record in (heard, telling):
            await bench.here.ended(record.id, an_ending())
        await bench.here.delivered(heard.id, a_try(status=200))
        await bench.here.told(heard.id)
        # Another replica that came late.
        await bench.elsewhere.ended(heard.id, an_ending())
        assert await bench.elsewhere.undelivered(None, 0.0, 10) == []
        await bench.here.told(telling.id)
        assert [record.id for record in await bench.elsewhere.undelivered(None, 0.0, 10)] == [telling.id]


def _before(page: Page) -> tuple[float, str]:
    return page.records[-1].created, page.records[-1].id


def _after(page: Page) -> tuple[float, str]:
    return page.records[0].created, page.records[0].id


def _sorted(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.created, record.id), reverse=True)


def _plain(records: Sequence[Record], query: Query) -> Page:
    """What is plainly right."""
    fitting = [
        record
        for record in _sorted(records)
        if record.owner == "shop"
        and (query.created_after is None or record.created >= query.created_after)
        and (query.created_before is None or record.created < query.created_before)
        and query.source in (None, record.source)
        and query.model in (None, record.model)
    ]
    places = [(record.created, record.id) for record in fitting]
    if query.before is None:
        older, newer = (fitting, []) if not query.backwards else ([], fitting)
    else:
        older = [record for record, place in zip(fitting, places, strict=True) if place < query.before]
        newer = [record for record, place in zip(fitting, places, strict=True) if place > query.before]
    if query.backwards:
        found = newer[-query.limit :]
        behind = [place for place in places if place < _first(found[::-1], query.before)]
        return Page(found, newer=len(newer) > query.limit, older=bool(behind))
    found = older[: query.limit]
    behind = [place for place in places if place > _first(found, query.before)]
    return Page(found, newer=bool(behind), older=len(older) > query.limit)


def _first(found: Sequence[Record], before: tuple[float, str] | None) -> tuple[float, str]:
    if found:
        return found[0].created, found[0].id
    return before or (NOON, "")
