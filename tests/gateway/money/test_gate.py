"""Runs are let in when they can be paid, and settled once, whatever becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engines.errors import EngineError
from gateway.admission import NEVER_BEGAN, Spared
from gateway.errors import HearthError, from_engine
from gateway.events import Failed, Timings, Usage
from gateway.generation import State
from gateway.money.backlog import Backlog
from gateway.money.base import LEASE_S, Balance, Line, Use
from gateway.money.gate import MoneyGate
from gateway.money.guidance import ENOUGH
from gateway.money.periods import DAY_S
from gateway.money.prices import NANO
from gateway.money.sqlite import SqliteBooks
from tests.gateway.money.contract import NOON, a_settlement
from tests.gateway.money.crowd import crowd
from tests.gateway.money.paying import ShakyBooks, a_gate, a_key, a_run, canceled, ended, finished
from tests.turning import Turned

MILLI = NANO // 1000


@pytest.fixture
def clock() -> Turned:
    return Turned(NOON)


@pytest.fixture
async def books(clock: Turned) -> AsyncIterator[ShakyBooks]:
    made = ShakyBooks(clock)
    yield made
    await made.close()


@pytest.fixture
def gate(books: ShakyBooks, clock: Turned) -> MoneyGate:
    return a_gate(books, clock)


async def balance(books: ShakyBooks) -> Balance:
    return await books.balance("k", "month", NOON)


async def lines(books: ShakyBooks) -> list[Line]:
    return await books.usage("2000-01-01", "2100-01-01")


async def test_a_run_holds_the_most_it_can_cost_and_pays_what_it_used(gate: MoneyGate, books: ShakyBooks) -> None:
    bill = await gate.admit(a_run(max_tokens=100), a_key())
    assert bill.headers == {"x-budget-remaining": "0.9", "x-budget-reset": "2026-12-01T00:00:00Z"}
    assert await balance(books) == (0, 100 * MILLI)
    await bill.close(ended(finished(7), seconds=1.5))
    assert await balance(books) == (7 * MILLI, 0)
    [line] = await lines(books)
    assert line[1:4] == ("k", "tokens", "finished")
    assert line.use == Use(1, 10, 0, 7, 1500, 7 * MILLI)


async def test_a_call_that_costs_nothing_hears_what_the_books_last_said(
    gate: MoneyGate, books: ShakyBooks, clock: Turned
) -> None:
    assert await gate.enter(a_key(), "tokens") == {}
    bill = await gate.admit(a_run(max_tokens=100), a_key())
    books.away = True
    assert await gate.enter(a_key(), "tokens") == bill.headers
    for other in (a_key(None), a_key(period="day"), a_key(id="other")):
        assert await gate.enter(other, "tokens") == {}
    await bill.close(ended(finished(7)))
    assert (await gate.enter(a_key(), "tokens"))["x-budget-remaining"] == "0.993"
    clock.turn(31 * DAY_S)
    assert await gate.enter(a_key(), "tokens") == {}


async def test_a_run_without_a_budget_holds_nothing_and_is_metered_all_the_same(
    gate: MoneyGate, books: ShakyBooks
) -> None:
    bill = await gate.admit(a_run(), a_key(None))
    assert bill.headers == {} and bill.hold is None
    await bill.close(ended(finished(7)))
    await gate.tick()
    assert [line.use.cost for line in await lines(books)] == [7 * MILLI]


async def test_what_was_stopped_or_failed_is_paid_as_far_as_it_came(gate: MoneyGate, books: ShakyBooks) -> None:
    stopped, broken = [await gate.admit(a_run(), a_key()) for _ in range(2)]
    await stopped.close(ended(canceled(5)))
    await broken.close(ended(Failed("engine_died", "", None, Usage(10, 3), Timings())))
    assert [(line.outcome, line.use.cost) for line in await lines(books)] == [
        ("canceled:caller", 5 * MILLI),
        ("failed:engine_died", 3 * MILLI),
    ]
    assert await balance(books) == (8 * MILLI, 0)


@pytest.mark.parametrize("n", [1, 3])
async def test_a_refusal_says_what_is_left_and_what_would_fit(gate: MoneyGate, books: ShakyBooks, n: int) -> None:
    await gate.admit(a_run(max_tokens=900), a_key())
    with pytest.raises(HearthError) as refused:
        await gate.admit(a_run(max_tokens=400, n=n), a_key())
    fits = 100 // n
    assert refused.value.code == "budget_exceeded"
    assert refused.value.message == (
        f"This key has 0.1 left of 1 until 2026-12-01T00:00:00Z; this may cost {'0.4' if n == 1 else '1.2'}. "
        f"A max_tokens of {fits} would fit."
    )
    assert refused.value.headers["x-budget-remaining"] == "0.1"
    assert refused.value.details["max_tokens"] == fits
    with pytest.raises(HearthError):
        await gate.admit(a_run(max_tokens=fits + 1, n=n), a_key())
    await gate.admit(a_run(max_tokens=fits, n=n), a_key())


async def test_where_no_size_fits_none_is_named(gate: MoneyGate) -> None:
    with pytest.raises(HearthError) as refused:
        await gate.admit(a_run("seconds"), a_key(0.1, period="total"))
    assert refused.value.message == "This key has 0.1 left of 0.1; this may cost 0.3."


async def test_without_any_bound_a_budget_asks_for_one(books: ShakyBooks, clock: Turned) -> None:
    gate = a_gate(books, clock, context=None)
    with pytest.raises(HearthError) as refused:
        await gate.admit(a_run(max_tokens=None), a_key())
    assert (refused.value.code, refused.value.parameter) == ("invalid_request", "max_tokens")
    await gate.admit(a_run(max_tokens=None), a_key(None))
    await gate.admit(a_run(max_tokens=50), a_key())


async def test_what_a_picture_costs_must_be_known_to_a_budget(books: ShakyBooks, clock: Turned) -> None:
    picture = [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]
    cold, warm = a_gate(books, clock, context=None), a_gate(books, clock, context=1000)
    with pytest.raises(HearthError) as refused:
        await cold.admit(a_run("reading", content=picture), a_key())
    assert (refused.value.code, refused.value.parameter) == ("invalid_request", "messages")
    await cold.admit(a_run("reading", content=picture), a_key(None))
    await cold.admit(a_run("tokens", content=picture), a_key())
    bill = await warm.admit(a_run("reading", content=picture), a_key())
    assert bill.hold is not None and bill.hold.amount == NANO // 1000


async def test_seconds_are_reserved_in_slices_until_the_budget_ends_the_run(
    gate: MoneyGate, books: ShakyBooks, clock: Turned
) -> None:
    run, told = a_run("seconds"), list[HearthError]()
    bill = await gate.admit(run, a_key(0.5))
    bill.on_stop = told.append
    await gate.tick()
    assert await balance(books) == (0, 300 * MILLI)
    run.state = State.RUNNING
    await gate.tick()
    for _ in range(21):
        clock.turn(1)
        await gate.tick()
    assert await balance(books) == (0, 500 * MILLI)
    while not told:
        clock.turn(1)
        await gate.tick()
    assert clock.now - NOON == pytest.approx(48)
    assert told[0].code == "budget_exceeded"
    await bill.close(ended(canceled(5), seconds=49))
    assert await balance(books) == (490 * MILLI, 0)


async def test_a_boot_uses_no_seconds(gate: MoneyGate, books: ShakyBooks, clock: Turned) -> None:
    run = a_run("seconds")
    await gate.admit(run, a_key(0.3))
    run.state = State.BOOTING
    for _ in range(100):
        clock.turn(1)
        await gate.tick()
    assert await balance(books) == (0, 300 * MILLI)


async def test_another_replica_goes_on_with_what_was_reserved(
    gate: MoneyGate, books: ShakyBooks, clock: Turned
) -> None:
    run = a_run("seconds")
    await gate.admit(run, a_key(1.0))
    run.state = State.RUNNING
    for _ in range(16):
        await gate.tick()
        clock.turn(1)
    taken = await a_gate(books, clock).inherit(run)
    clock.turn(1)
    await taken.close(ended(finished(5), seconds=2))
    [line] = await lines(books)
    assert line.use.milliseconds == 15_000 + 2_000
    assert await balance(books) == (170 * MILLI, 0)


async def test_what_a_dead_replica_had_reserved_lapses(gate: MoneyGate, books: ShakyBooks, clock: Turned) -> None:
    run, told = a_run(max_tokens=900), list[HearthError]()
    await gate.admit(run, a_key())
    clock.turn(LEASE_S + 1)
    assert await balance(books) == (0, 0)
    await gate.admit(a_run(max_tokens=500), a_key())
    late = a_gate(books, clock)
    bill = await late.inherit(run)
    bill.on_stop = told.append
    await late.tick()
    assert [error.code for error in told] == ["budget_exceeded"]
    await bill.close(ended(canceled(600)))
    assert await balance(books) == (500 * MILLI, 500 * MILLI)
    [line] = await lines(books)
    assert line.use.unpaid == 100 * MILLI


async def test_reservations_are_renewed_for_as_long_as_the_run_takes(
    gate: MoneyGate, books: ShakyBooks, clock: Turned
) -> None:
    await gate.admit(a_run(), a_key())
    for _ in range(300):
        clock.turn(1)
        await gate.tick()
    assert await balance(books) == (0, 100 * MILLI)


async def test_while_the_books_are_away_only_those_without_a_budget_go_on(
    gate: MoneyGate, books: ShakyBooks, caplog: pytest.LogCaptureFixture
) -> None:
    before = await gate.admit(a_run(), a_key())
    books.away = True
    with pytest.raises(HearthError) as refused:
        await gate.admit(a_run(), a_key())
    assert refused.value.code == "state_unavailable"
    free = await gate.admit(a_run(key="free"), a_key(None, id="free"))
    for bill in (before, free):
        await bill.close(ended(finished(7)))
    await gate.tick()
    assert await lines(books) == []
    books.away = False
    await gate.tick()
    assert {line.key: line.use.cost for line in await lines(books)} == {"k": 7 * MILLI, "free": 7 * MILLI}
    assert await balance(books) == (7 * MILLI, 0)
    assert [record.message for record in caplog.records] == [
        "the books are away, usage waits in memory: test",
        "the books are back",
    ]


async def test_what_was_done_and_not_answered_is_not_done_twice(gate: MoneyGate, books: ShakyBooks) -> None:
    bill = await gate.admit(a_run(), a_key())
    books.mute = True
    with pytest.raises(HearthError):
        await gate.admit(a_run(), a_key())
    await bill.close(ended(finished(7)))
    books.mute = False
    await gate.tick()
    assert await balance(books) == (7 * MILLI, 0)
    assert [line.use.calls for line in await lines(books)] == [1]


async def test_seconds_that_cannot_be_reserved_while_the_books_are_away_are_not_given(
    gate: MoneyGate, books: ShakyBooks, clock: Turned
) -> None:
    run, told = a_run("seconds"), list[HearthError]()
    bill = await gate.admit(run, a_key(5))
    bill.on_stop = told.append
    run.state = State.RUNNING
    await gate.tick()
    books.away = True
    clock.turn(27)
    await gate.tick()
    assert told == []
    clock.turn(1)
    await gate.tick()
    assert [error.code for error in told] == ["state_unavailable"]


async def test_who_leaves_while_money_is_reserved_leaves_nothing_reserved(gate: MoneyGate, books: ShakyBooks) -> None:
    books.reserving = asyncio.Event()
    asking = asyncio.create_task(gate.admit(a_run(), a_key()))
    await asyncio.wait_for(books.reserving.wait(), 10)
    assert await balance(books) == (0, 100 * MILLI)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    await gate.tick()
    assert await balance(books) == (0, 0)
    assert await lines(books) == []


async def test_hits_and_joins_are_free_and_what_they_spared_is_noted(gate: MoneyGate, books: ShakyBooks) -> None:
    for how in ("hit", "hit", "join"):
        gate.spared(Spared(a_key(), "tokens", how, Usage(10, 7), 2.0))
    await gate.tick()
    assert [(line.outcome, line.use.calls, line.use.cost, line.use.saved) for line in await lines(books)] == [
        ("hit", 2, 0, 14 * MILLI),
        ("join", 1, 0, 7 * MILLI),
    ]
    assert [line.use.saved_milliseconds for line in await lines(books)] == [4000, 2000]
    assert await balance(books) == (0, 0)


async def test_a_cap_that_is_far_off_is_told_with_the_answer(gate: MoneyGate) -> None:
    for _ in range(ENOUGH):
        bill = await gate.admit(a_run(max_tokens=900), a_key(None))
        assert "x-max-tokens-advice" not in bill.headers
        await bill.close(ended(finished(16)))
    await gate.tick()
    far, near = [await gate.admit(a_run(max_tokens=most), a_key(100)) for most in (900, 100)]
    assert far.headers["x-max-tokens-advice"] == "cap 900, p99 used 16"
    assert "x-max-tokens-advice" not in near.headers


async def test_what_is_reserved_costs_and_is_saved_is_counted(gate: MoneyGate) -> None:
    paid, held = [await gate.admit(a_run(), a_key()) for _ in range(2)]
    await paid.close(ended(finished(7)))
    gate.spared(Spared(a_key(), "tokens", "join", Usage(10, 7), 2.0))
    await gate.tick()
    shown = gate._metrics.render().decode()
    assert 'hearth_cost_total{model="tokens"} 0.007' in shown
    assert 'hearth_saved_total{how="join",model="tokens"} 0.007' in shown
    assert "hearth_reserved 0.1" in shown
    await held.close(ended(finished(7)))
    await gate.tick()
    assert "hearth_reserved 0.0" in gate._metrics.render().decode()


async def test_what_waits_is_written_when_the_gate_closes(tmp_path: Path, clock: Turned) -> None:
    gate = a_gate(SqliteBooks(tmp_path / "hearth.db", clock), clock)
    gate.spared(Spared(a_key(), "tokens", "hit", Usage(10, 7), 2.0))
    await gate.close()
    books = SqliteBooks(tmp_path / "hearth.db", clock)
    assert [line.outcome for line in await books.usage("2000-01-01", "2100-01-01")] == ["hit"]
    await books.close()


async def test_what_cannot_be_written_at_the_end_is_said(books: ShakyBooks, caplog: pytest.LogCaptureFixture) -> None:
    backlog, books.away = Backlog(books), True
    await backlog.settle(a_settlement("a", 7 * MILLI))
    await backlog.close()
    assert caplog.records[-1].message == "usage of 1 runs is lost, cost 0.007"


async def test_no_more_waits_than_may_and_what_is_lost_is_said(
    books: ShakyBooks, caplog: pytest.LogCaptureFixture
) -> None:
    backlog, books.away = Backlog(books, most=2), True
    for id in "abcd":
        await backlog.settle(a_settlement(id, 5 * MILLI))
    assert len(backlog) == 2
    books.away = False
    await backlog.write(again=True)
    assert [line.use.calls for line in await lines(books)] == [2]
    assert [record.message for record in caplog.records] == [
        "the books are away, usage waits in memory: test",
        "usage is being lost: as much waits for the books as may",
        "the books are back",
        "usage of 2 runs is lost, cost 0.01",
    ]


async def test_with_two_hundred_runs_and_two_replicas_no_limit_is_passed(tmp_path: Path, clock: Turned) -> None:
    pair = [SqliteBooks(tmp_path / "hearth.db", clock) for _ in range(2)]
    await crowd(pair, clock)
    for books in pair:
        await books.close()


async def test_an_engine_that_refuses_costs_nothing(gate: MoneyGate, books: ShakyBooks) -> None:
    bill = await gate.admit(a_run(), a_key())
    error = from_engine(EngineError("context_length_exceeded", "Too long."))
    await bill.close(ended(Failed(error.code, error.message, None, Usage(), Timings())))
    assert await balance(books) == (0, 0)
    assert [(line.outcome, line.use.calls) for line in await lines(books)] == [("failed:context_length_exceeded", 1)]


async def test_a_run_that_never_began_gives_everything_back(gate: MoneyGate, books: ShakyBooks) -> None:
    bill = await gate.admit(a_run(), a_key())
    await bill.close(NEVER_BEGAN)
    assert await balance(books) == (0, 0)
    assert await lines(books) == []


async def test_nobody_waits_for_money(gate: MoneyGate) -> None:
    bill = await gate.admit(a_run(), a_key())
    assert [stage async for stage in bill.turn()] == []
