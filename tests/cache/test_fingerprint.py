"""Names of asks: what splits them, and what does not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cache.fingerprint import JSON, canonical, fingerprint

NUMBERS = some.integers(-(2**63), 2**63 - 1) | some.floats(allow_nan=False, allow_infinity=False)
VALUES = some.recursive(
    some.none() | some.booleans() | NUMBERS | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)


def name(
    asked: JSON = "hi",
    parameters: dict[str, JSON] | None = None,
    defaults: dict[str, JSON] | None = None,
    namespace: tuple[str, ...] = ("ann", ""),
    model: str = "demo",
    version: str = "1",
) -> str:
    return fingerprint(namespace, model, version, asked, parameters or {}, defaults or {})


def respelled(value: JSON) -> JSON:
    """The same value, with its members in another order and its numbers written otherwise."""
    if isinstance(value, dict):
        return {key: respelled(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return [respelled(each) for each in value]
    if type(value) is int and float(value) == value and abs(value) < 2**63:
        return float(value)
    if type(value) is float and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value


@given(VALUES, some.dictionaries(some.text(), VALUES, max_size=4))
def test_order_and_spelling_mean_nothing(asked: JSON, parameters: dict[str, JSON]) -> None:
    assert name(asked, parameters) == name(respelled(asked), respelled(parameters))


@given(VALUES, VALUES)
def test_two_asks_have_one_name_only_if_they_are_equal(one: JSON, other: JSON) -> None:
    assert (name(one) == name(other)) == (repr(in_order(canonical(one))) == repr(in_order(canonical(other))))


def in_order(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    return [in_order(each) for each in value] if isinstance(value, list) else value


@given(some.dictionaries(some.sampled_from("abcdef"), NUMBERS), some.dictionaries(some.sampled_from("abcdef"), NUMBERS))
def test_defaults_may_be_spelled_out(parameters: dict[str, JSON], defaults: dict[str, JSON]) -> None:
    assert name("hi", parameters, defaults) == name("hi", {**defaults, **parameters}, defaults)


@pytest.mark.parametrize(
    "other",
    [
        {"namespace": ("bob", "")},
        {"namespace": ("ann", "x")},
        {"model": "other"},
        {"version": "2"},
        {"asked": "ho"},
        {"parameters": {"never": "heard of"}},
        {"defaults": {"temperature": 0.5}},
    ],
)
def test_whose_it_is_which_model_and_which_version_count(other: dict[str, JSON]) -> None:
    assert name() != name(**other)


def test_a_namespace_within_another_is_none_of_a_third() -> None:
    assert name(namespace=("a", "b/c")) != name(namespace=("a/b", "c"))
    assert name(namespace=("a", "")) != name(namespace=("", "a"))


@pytest.mark.parametrize(("one", "other"), [(True, 1), (False, 0), (None, 0), ("1", 1), ([], {}), ([[]], [])])
def test_what_only_looks_alike_is_not(one: JSON, other: JSON) -> None:
    assert name(one) != name(other)


def test_at_temperature_zero_chance_has_nothing_to_say() -> None:
    greedy = name(parameters={"temperature": 0})
    for chance in ({"seed": 7}, {"top_p": 0.5}, {"top_k": 3}, {"min_p": 0.1}):
        assert name(parameters={"temperature": 0.0, **chance}) == greedy
        assert name(parameters={"temperature": 0.1, **chance}) != name(parameters={"temperature": 0.1})


def test_when_an_answer_is_generated_does_not_matter() -> None:
    assert name(parameters={"priority": 3}) == name()


@given(NUMBERS)
def test_numbers_stay_what_they_are(number: float) -> None:
    same = canonical(number)
    assert same == number and math.copysign(1, same) == (math.copysign(1, number) if number else 1)
