"""What every store of books must keep. A backend is tested by a subclass with a `bench`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from gateway.money.base import LEASE_S, Balance, Books, Cap, CapLine, Hold, Line, Settlement, Use

NOON = 1_795_003_200.0
"""2026-11-18, a Wednesday, at noon."""
DAY_S = 86400.0


@dataclass
class Bench:
    """One store, seen from two processes; `turn` lets seconds pass."""

    here: Books
    elsewhere: Books
    turn: Callable[[float], None]


def a_hold(run: str, amount: int, *, key: str = "k", limit: int = 100, at: float = NOON) -> Hold:
    return Hold(run, key, at, "month", limit, amount)


def a_settlement(
    id: str, cost: int, hold: Hold | None = None, *, key: str = "k", model: str = "m", at: float = NOON, calls: int = 1
) -> Settlement:
    return Settlement(id, key, model, "finished", at, Use(calls=calls, milliseconds=5, cost=cost), hold)


async def total(books: Books, key: str = "k") -> int:
    return sum(line.use.cost for line in await books.usage("2000-01-01", "2100-01-01") if line.key == key)


class Model:
    """Books that are plainly right, and for one key alone."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0
        self.now = 0.0
        self.holds: dict[str, tuple[int, float]] = {}
        self.settled = set[str]()

    @property
    def reserved(self) -> int:
        return sum(amount for amount, lapses in self.holds.values() if lapses > self.now)

    def hold(self, run: str, amount: int) -> tuple[bool, int]:
        own = self.holds.get(run, (0, 0.0))
        left = self.limit - self.spent - self.reserved + (own[0] if own[1] > self.now else 0)
        if run in self.settled:
            return True, left
        if amount > left:
            return False, left
        self.holds[run] = (amount, self.now + LEASE_S)
        return True, left - amount

    def settle(self, run: str, cost: int) -> None:
        if run not in self.settled:
            self.settled.add(run)
            self.holds.pop(run, None)
            self.spent += max(0, min(cost, self.limit - self.spent - self.reserved))


class BooksContract:
    async def test_what_is_held_is_reserved_for_all(self, bench: Bench) -> None:
        assert await bench.here.hold(a_hold("a", 60)) == (True, 40)
        assert await bench.elsewhere.hold(a_hold("b", 41)) == (False, 40)
        assert await bench.elsewhere.hold(a_hold("b", 40)) == (True, 0)
        assert await bench.here.balance("k", "month", NOON) == Balance(0, 100)

    async def test_the_same_hold_again_is_no_other(self, bench: Bench) -> None:
        for books in (bench.here, bench.here, bench.elsewhere):
            assert await books.hold(a_hold("a", 60)) == (True, 40)
        assert await bench.here.balance("k", "month", NOON) == Balance(0, 60)

    async def test_a_run_may_hold_more_if_there_is_room_and_else_keeps_what_it_has(self, bench: Bench) -> None:
        await bench.here.hold(a_hold("a", 30))
        await bench.here.hold(a_hold("b", 30))
        assert await bench.here.hold(a_hold("a", 71)) == (False, 70)
        assert await bench.here.balance("k", "month", NOON) == Balance(0, 60)
        assert await bench.elsewhere.hold(a_hold("a", 70)) == (True, 0)

    async def test_of_many_who_reserve_at_once_as_many_as_fit_are_let_in(self, bench: Bench) -> None:
        stores = [bench.here, bench.elsewhere] * 10
        told = await asyncio.gather(*(books.hold(a_hold(f"r{n}", 9)) for n, books in enumerate(stores)))
        assert sum(answer.held for answer in told) == 11

    async def test_keys_and_periods_do_not_meet(self, bench: Bench) -> None:
        assert (await bench.here.hold(a_hold("a", 100))).held
        assert (await bench.here.hold(a_hold("b", 100, key="l"))).held
        assert (await bench.here.hold(a_hold("c", 100, at=NOON + 31 * DAY_S))).held

    async def test_settling_gives_back_what_was_not_used(self, bench: Bench) -> None:
        hold = a_hold("a", 60)
        await bench.here.hold(hold)
        await bench.elsewhere.settle([a_settlement("a", 25, hold)])
        assert await bench.here.balance("k", "month", NOON) == Balance(25, 0)
        assert await bench.here.hold(a_hold("b", 76)) == (False, 75)

    async def test_a_run_is_settled_once_however_often_it_is_told(self, bench: Bench) -> None:
        told = a_settlement("a", 25)
        await asyncio.gather(*(books.settle([told, told]) for books in (bench.here, bench.elsewhere) * 3))
        assert await bench.here.balance("k", "month", NOON) == Balance(25, 0)
        assert await total(bench.here) == 25

    async def test_a_settled_run_holds_nothing_any_more(self, bench: Bench) -> None:
        hold = a_hold("a", 60)
        await bench.here.hold(hold)
        await bench.here.settle([a_settlement("a", 25, hold)])
        assert (await bench.elsewhere.hold(hold)).held
        assert await bench.here.balance("k", "month", NOON) == Balance(25, 0)
        assert await bench.here.held("k", "a") is None

    async def test_what_was_held_for_nothing_is_given_back_without_a_trace(self, bench: Bench) -> None:
        await bench.here.hold(a_hold("a", 60))
        await bench.here.settle([a_settlement("a", 0, calls=0)])
        assert await bench.here.balance("k", "month", NOON) == Balance(0, 0)
        assert await bench.here.usage("2026-11-18", "2026-11-18") == []

    async def test_a_reservation_that_nobody_renews_lapses(self, bench: Bench) -> None:
        await bench.here.hold(a_hold("a", 60))
        await bench.here.hold(a_hold("b", 40))
        bench.turn(LEASE_S - 5)
        assert (await bench.here.hold(a_hold("b", 40))).held
        bench.turn(6)
        assert await bench.elsewhere.balance("k", "month", NOON) == Balance(0, 40)
        assert await bench.elsewhere.hold(a_hold("c", 60)) == (True, 0)
        assert await bench.here.hold(a_hold("a", 60)) == (False, 0)

    async def test_what_a_run_had_reserved_is_known_to_the_one_who_goes_on_with_it(self, bench: Bench) -> None:
        hold = a_hold("a", 60)._replace(milliseconds=1500)
        await bench.here.hold(hold)
        bench.turn(LEASE_S + 1)
        assert await bench.elsewhere.held("k", "a") == hold
        assert await bench.elsewhere.hold(hold) == (True, 40)
        assert await bench.elsewhere.held("k", "b") is None

    async def test_a_budget_is_never_charged_with_more_than_it_has_room_for(self, bench: Bench) -> None:
        hold = a_hold("a", 50)
        await bench.here.hold(hold)
        await bench.here.hold(a_hold("b", 45))
        await bench.here.settle([a_settlement("a", 80, hold)])
        assert await bench.here.balance("k", "month", NOON) == Balance(55, 45)
        [line] = await bench.here.usage("2026-11-18", "2026-11-18")
        assert (line.use.cost, line.use.unpaid) == (55, 25)

    async def test_what_is_spent_counts_in_every_period(self, bench: Bench) -> None:
        await bench.here.settle([a_settlement("a", 25), a_settlement("b", 5, at=NOON - DAY_S)])
        spent = [(await bench.elsewhere.balance("k", kind, NOON)).spent for kind in ("day", "week", "month", "total")]
        assert spent == [25, 30, 30, 30]

    async def test_use_is_summed_by_day_key_model_and_outcome(self, bench: Bench) -> None:
        use = Use(*range(1, 10))
        told = a_settlement("a", 0)._replace(use=use._replace(unpaid=0))
        others = [
            told._replace(id="b"),
            told._replace(id="c", at=NOON + DAY_S),
            told._replace(id="d", outcome="failed:engine_died"),
            told._replace(id="e", model="org/a name|with: anything"),
            told._replace(id="f", key="l"),
        ]
        await bench.here.settle([told])
        await bench.elsewhere.settle(others)
        one = told.use
        assert await bench.here.usage("2026-11-18", "2026-11-18") == [
            Line("2026-11-18", "k", "m", "failed:engine_died", one),
            Line("2026-11-18", "k", "m", "finished", one.plus(one)),
            Line("2026-11-18", "k", "org/a name|with: anything", "finished", one),
            Line("2026-11-18", "l", "m", "finished", one),
        ]
        assert [line.day for line in await bench.here.usage("2026-11-19", "2030-01-01")] == ["2026-11-19"]

    async def test_how_runs_stood_to_their_caps_is_known_for_two_months(self, bench: Bench) -> None:
        short, long = Cap(9, 9, True), Cap(9, 5, False)
        for n, cap in enumerate([short, short, long]):
            await bench.here.settle([a_settlement(f"r{n}", 1)._replace(cap=cap)])
        await bench.here.settle([a_settlement("other", 1, key="l")._replace(cap=long)])
        for at in (NOON, NOON + 31 * DAY_S):
            lines = await bench.elsewhere.caps(at, "k")
            assert sorted(lines) == [CapLine("k", "m", long, 1), CapLine("k", "m", short, 2)]
        assert len(await bench.elsewhere.caps(NOON)) == 3
        assert await bench.elsewhere.caps(NOON + 62 * DAY_S) == []

    async def test_a_store_that_is_swept_keeps_what_counts(self, bench: Bench) -> None:
        hold = a_hold("b", 30)
        await bench.here.settle([a_settlement("a", 25)])
        await bench.here.hold(hold)
        await bench.here.sweep()
        assert await bench.here.balance("k", "month", NOON) == Balance(25, 30)
        assert await total(bench.here) == 25

    async def test_whatever_happens_at_once_the_limit_is_never_passed(self, bench: Bench) -> None:
        chance, limit, charged = Random(4), 2_000, 0

        async def one(number: int) -> None:
            nonlocal charged
            books = (bench.here, bench.elsewhere)[number % 2]
            hold = a_hold(f"r{number}", chance.randint(1, 60), limit=limit)
            if not (await books.hold(hold)).held:
                return
            if chance.random() < 0.5:
                await books.hold(hold._replace(amount=hold.amount + chance.randint(0, 60)))
            cost = chance.randint(0, hold.amount)
            await books.settle([a_settlement(hold.run, cost, hold, calls=chance.choice([0, 1, 1]))])

        running = asyncio.gather(*(one(number) for number in range(200)))
        while not running.done():
            await asyncio.sleep(0)
            spent, reserved = await bench.elsewhere.balance("k", "month", NOON)
            assert spent + reserved <= limit
        await running
        spent, reserved = await bench.here.balance("k", "month", NOON)
        assert reserved == 0 and 0 < spent == await total(bench.here) <= limit

    async def test_whatever_is_done_in_any_order_is_answered_as_plain_books_would(self, bench: Bench) -> None:
        chance, model = Random(11), Model(limit=1_000)
        for step in range(400):
            books = chance.choice([bench.here, bench.elsewhere])
            run = f"r{chance.randint(step // 8, step // 8 + 12)}"
            what = chance.random()
            if what < 0.6:
                amount = chance.randint(0, 150)
                assert await books.hold(a_hold(run, amount, limit=1_000)) == model.hold(run, amount)
            elif what < 0.8:
                cost = chance.randint(0, 60)
                await books.settle([a_settlement(run, cost, a_hold(run, 0, limit=1_000))])
                model.settle(run, cost)
            else:
                # Never to within a second of where anything lapses.
                bench.turn(7)
                model.now += 7
            assert await books.balance("k", "month", NOON) == (model.spent, model.reserved)
        assert model.spent > 900 and len(model.settled) > 20
