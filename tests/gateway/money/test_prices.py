"""Money is exact."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as some

from gateway.events import Usage
from gateway.measure import Measure
from gateway.money.prices import MOST, NANO, Prices, nanos, written
from gateway.tables import ModelTable

amounts = some.decimals(0, 10_000, places=6).map(float)
counts = some.integers(0, 10**7)


def priced(kinds: dict[str, float] | None = None, /, **lines: float | str) -> Prices:
    return Prices.of(ModelTable.model_validate(lines), kinds or {})


def test_a_million_tokens_cost_their_price() -> None:
    prices = priced(price_per_million_input=0.15, price_per_million_output=0.6, price_per_million_cached_input=0.075)
    assert prices.cost(Usage(prompt_tokens=10**6), 0) == 150_000_000
    assert prices.cost(Usage(completion_tokens=10**6), 0) == 600_000_000
    assert prices.cost(Usage(prompt_tokens=10**6, cached_tokens=10**6), 0) == 75_000_000


def test_cached_tokens_cost_what_others_do_unless_they_have_a_price() -> None:
    usage = Usage(prompt_tokens=10, cached_tokens=4)
    assert priced(price_per_million_input=1).cost(usage, 0) == 10_000
    free = priced(price_per_million_input=1, price_per_million_cached_input=0)
    assert free.cost(usage, 0) == 6_000


def test_a_second_costs_what_the_model_says_or_else_its_hardware() -> None:
    hardware = {"h200": 0.001261}
    assert priced(hardware, hardware="h200").cost(Usage(), 2_500) == 3_152_500
    assert priced(hardware, price_per_second=0.5, hardware="h200").cost(Usage(), 1_000) == NANO // 2
    assert priced(hardware).cost(Usage(9, 9, 9), 9_000) == 0


def test_a_fraction_of_a_nano_counts_as_one() -> None:
    assert priced(price_per_million_input=0.0001).cost(Usage(prompt_tokens=1), 0) == 1


@given(amounts, amounts, amounts, amounts, counts, counts, counts, some.integers(0, 10**6))
def test_no_run_within_its_bounds_costs_more_than_the_most(
    second: float, fresh: float, cached: float, out: float, prompt: int, hits: int, answer: int, milliseconds: int
) -> None:
    prices = priced(
        price_per_second=second,
        price_per_million_input=fresh,
        price_per_million_cached_input=cached,
        price_per_million_output=out,
    )
    usage = Usage(prompt, answer, min(hits, prompt))
    assert 0 <= prices.cost(usage, milliseconds) <= prices.most(Measure(prompt, prompt, answer), milliseconds)


@given(some.integers(-(10**18), 10**18))
def test_an_amount_is_written_exactly(amount: int) -> None:
    assert Decimal(written(amount)) * NANO == amount


@given(some.decimals(0, 1_000_000, places=9))
def test_an_amount_is_read_as_it_was_written(amount: Decimal) -> None:
    assert abs(nanos(float(amount)) - int(amount * NANO)) <= (0 if amount < 100_000 else 1)


def test_a_limit_is_never_larger_than_what_can_be_counted_exactly() -> None:
    assert nanos(1e12) == MOST
    assert nanos(0.1) + nanos(0.2) == nanos(0.3)
