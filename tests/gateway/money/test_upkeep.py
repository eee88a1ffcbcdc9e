"""What it costs to keep models warm, and what that spares."""

from __future__ import annotations

from collections.abc import Mapping

from engines.base import State
from engines.board import Sighting
from engines.pool import Pool
from engines.seat import Place, Seat
from gateway.metrics import Metrics
from gateway.money.base import Settlement, Use
from gateway.money.costs import costs
from gateway.money.prices import NANO, Prices
from gateway.money.sqlite import SqliteBooks
from gateway.money.upkeep import KEEPER, Upkeep
from gateway.tables import ModelTable
from tests.gateway.money.contract import NOON
from tests.gateway.puppet import Puppet
from tests.turning import Turned
from tests.waiting import until

PRICES = {"demo": Prices.of(ModelTable.model_validate({"price_per_second": 0.5}), {})}


class Kept:
    """A warm model, and what is counted of it."""

    def __init__(self, prices: Mapping[str, Prices] = PRICES, shared: str | None = None, idle_s: float = 300) -> None:
        self.clock = Turned(NOON)
        self.pool = Pool([Place("demo", "demo", Puppet(), shared)], self.clock, wall=self.clock)
        self.upkeep = Upkeep(self.pool, "b", prices, {"demo": idle_s}, self.clock.clock, Metrics())

    @property
    def seat(self) -> Seat:
        return self.pool.seats["demo"]

    async def warm(self) -> Kept:
        self.pool.warm("demo")
        await until(lambda: self.seat.state is State.WARM)
        return self

    def passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.turn(1)
            self.upkeep.look()

    def asked(self) -> None:
        with self.seat.holding(1):
            self.upkeep.look()

    def told(self) -> dict[str, Use]:
        return {each.outcome: each.use for each in self.upkeep.pour(all=True)}


async def test_seconds_that_are_warm_and_unasked_cost_what_seconds_cost() -> None:
    kept = await Kept().warm()
    kept.passes(10)
    with kept.seat.holding(1):
        kept.passes(5)
    kept.upkeep.beat("demo", 0.25, passed=True)
    kept.upkeep.beat("demo", 0.5, passed=False)
    told = kept.told()
    assert (told["idle"].milliseconds, told["idle"].cost) == (10_000, 5 * NANO)
    assert (told["beat"].calls, told["beat"].milliseconds, told["beat"].cost) == (2, 750, 375_000_000)
    assert kept.told() == {}
    await kept.pool.close()


async def test_a_cold_model_and_one_without_a_price_cost_nothing() -> None:
    cold, free = Kept(), await Kept(prices={}).warm()
    for kept in (cold, free):
        kept.passes(10)
        assert kept.told() == {}
        await kept.pool.close()


async def test_who_finds_it_warm_after_a_long_silence_was_spared_a_boot() -> None:
    kept = await Kept().warm()
    kept.seat.remember([40.0])
    kept.passes(60)
    kept.asked()
    for pause, spared in ((299, 0), (302, 1)):
        kept.told()
        kept.passes(pause)
        kept.asked()
        assert kept.told().get("spared", Use()).calls == spared
    await kept.pool.close()


async def test_who_waited_for_the_boot_was_spared_nothing() -> None:
    kept = await Kept().warm()
    kept.asked()
    assert "spared" not in kept.told()
    await kept.pool.close()


async def test_a_shared_engine_is_counted_by_one_replica() -> None:
    kept = await Kept(shared="https://gpu").warm()
    for other, counted in (("a", False), ("c", True)):
        kept.seat.see({other: Sighting(model="demo", state=State.WARM, stage="ready", since=NOON)})
        kept.passes(3)
        assert bool(kept.told()) is counted
    await kept.pool.close()


async def test_it_is_written_once_a_minute() -> None:
    kept = await Kept().warm()
    kept.passes(59)
    assert list(kept.upkeep.pour()) == []
    kept.passes(1)
    [settlement] = kept.upkeep.pour()
    assert (settlement.key, settlement.outcome, settlement.use.milliseconds) == (KEEPER, "idle", 60_000)
    await kept.pool.close()


async def test_in_the_books_it_is_no_spending_and_no_usage() -> None:
    clock = Turned(NOON)
    books = SqliteBooks(None, clock)
    use = Use(calls=2, milliseconds=1500, cost=NANO)
    await books.settle(
        [Settlement("1", KEEPER, "demo", "idle", NOON, use), Settlement("2", "k", "demo", "finished", NOON, use)]
    )
    told = costs(await books.usage("2000-01-01", "2100-01-01"))
    assert (told["runs"], told["cost"]) == (2, "1")
    assert (told["keeper"]["idle_seconds"], told["keeper"]["idle_cost"]) == (1.5, "1")
    await books.close()
