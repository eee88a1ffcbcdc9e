"""A cap is spoken of when it is far off, and only then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from gateway.money.advisor import Advisor
from gateway.money.base import Cap, Settlement, Use
from gateway.money.guidance import ENOUGH, UNCAPPED, advice, bucket, percentile, top
from gateway.money.sqlite import SqliteBooks
from tests.gateway.money.contract import NOON
from tests.turning import Turned


def runs(asked: int, used: int, count: int, *, by_length: bool = False) -> dict[Cap, int]:
    return {Cap(bucket(asked), bucket(used), by_length): count}


@given(some.integers(1, 10**7))
def test_a_bucket_is_little_wider_than_what_falls_in_it(tokens: int) -> None:
    assert tokens <= top(bucket(tokens)) <= tokens * 1.2
    assert bucket(top(bucket(tokens))) == bucket(tokens)


@given(some.dictionaries(some.integers(1, 5000), some.integers(1, 50), min_size=1), some.floats(0.01, 1))
def test_a_percentile_suffices_for_its_share(used: dict[int, int], share: float) -> None:
    caps = {Cap(UNCAPPED, bucket(tokens), False): 0 for tokens in used}
    for tokens, count in used.items():
        caps[Cap(UNCAPPED, bucket(tokens), False)] += count
    most = percentile(caps, share)
    within = sum(count for tokens, count in used.items() if bucket(tokens) <= bucket(most))
    assert within >= share * sum(used.values()) - 1e-9


def test_a_cap_that_ends_most_answers_is_too_low() -> None:
    caps = runs(64, 64, 15, by_length=True) | runs(64, 40, 5)
    assert advice(caps, 64) == "cap 64, ends 75% of answers"
    assert advice(caps, 200) is None
    assert advice(runs(64, 64, 10, by_length=True) | runs(64, 40, 10), 64) is None


def test_a_cap_that_is_far_above_what_is_used_is_too_high() -> None:
    caps = runs(4096, 200, 50)
    assert advice(caps, 4096) == "cap 4096, p99 used 215"
    assert advice(caps, 1024) is None


def test_one_long_answer_in_fifty_is_reason_enough_for_a_high_cap() -> None:
    assert advice(runs(4096, 200, 49) | runs(4096, 2000, 1), 4096) is None


def test_nothing_is_said_before_enough_was_seen() -> None:
    assert advice(runs(4096, 16, ENOUGH - 1), 4096) is None
    assert advice(runs(4096, 16, ENOUGH), 4096) is not None
    assert advice({}, 4096) is None


async def test_what_is_said_is_read_in_the_background_and_kept_for_a_minute() -> None:
    clock = Turned(NOON)
    books = SqliteBooks(None, clock)
    advisor = Advisor(books, clock)

    async def run(count: int) -> None:
        cap = Cap(bucket(4096), bucket(16), False)
        await books.settle(
            [Settlement(f"{clock.now} {n}", "k", "m", "finished", NOON, Use(1), None, cap) for n in range(count)]
        )

    await run(ENOUGH - 1)
    assert advisor.advise("k", "m", 4096) is None
    await advisor.read()
    assert advisor.advise("k", "m", 4096) is None
    clock.turn(30)
    await run(1)
    await advisor.read()
    assert advisor.advise("k", "m", 4096) is None
    clock.turn(31)
    await advisor.read()
    assert advisor.advise("k", "m", 4096) == "cap 4096, p99 used 16"
    assert advisor.advise("k", "m", None) is None
    assert advisor.advise("k", "other", 4096) is None
    await books.close()
