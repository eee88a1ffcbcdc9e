"""What whoever creates a key may say."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import HearthError
from gateway.keys import Budget, Key
from gateway.wire.keys import parse, show

NOW = 1_000_000.0


def test_a_key_of_which_nothing_is_said_shares_with_nobody() -> None:
    assert parse({}, "key_a", NOW) == Key(id="key_a", name="key_a", namespace="key_a", created=NOW)


def test_all_that_can_be_said_is_in_the_key() -> None:
    said = {
        "name": "shop",
        "namespace": "web",
        "models": ["demo", "qwen-*"],
        "expires": 60,
        "admin": True,
        "requests_per_minute": 1,
        "tokens_per_minute": 2,
        "concurrent": 3,
        "budget": {"amount": 5, "period": "day"},
        "cache": "off",
    }
    key = parse(said, "key_a", NOW)
    assert key.expires == NOW + 60
    assert key.models == ("demo", "qwen-*")
    assert key.budget == Budget(amount=5.0, period="day")
    shown = show(key, NOW)
    assert {**shown, "expires": 60, "models": list(shown["models"])} == {
        **said,
        "id": "key_a",
        "object": "key",
        "state": "good",
        "hint": "",
        "created": NOW,
        "revoked": None,
    }


def test_a_time_to_come_may_be_written_out() -> None:
    assert parse({"expires": "1970-01-12T13:46:41Z"}, "key_a", NOW).expires == NOW + 1


def test_null_is_as_nothing() -> None:
    names = ("name", "namespace", "models", "expires", "admin", "requests_per_minute", "budget", "cache")
    assert parse(dict.fromkeys(names), "key_a", NOW) == parse({}, "key_a", NOW)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"nam": "x"}, "nam"),
        ({"id": "key_b"}, "id"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"namespace": "x" * 201}, "namespace"),
        ({"namespace": 1}, "namespace"),
        ({"models": "demo"}, "models"),
        ({"models": []}, "models"),
        ({"models": ["demo", 1]}, "models.1"),
        ({"expires": 0}, "expires"),
        ({"expires": True}, "expires"),
        ({"expires": "tomorrow"}, "expires"),
        ({"expires": "1970-01-01T00:00:00Z"}, "expires"),
        ({"expires": 1e300}, "expires"),
        ({"expires": 100 * 365 * 86_400 + 1}, "expires"),
        ({"expires": "9999-12-31T23:59:59Z"}, "expires"),
        ({"admin": "yes"}, "admin"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"concurrent": 1.5}, "concurrent"),
        ({"budget": 5}, "budget"),
        ({"budget": {}}, "budget.amount"),
        ({"budget": {"amount": -1}}, "budget.amount"),
        ({"budget": {"amount": 1, "period": "year"}}, "budget.period"),
        ({"budget": {"amount": 1, "per": "day"}}, "budget"),
        ({"cache": "some"}, "cache"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(HearthError) as told:
        parse(body, "key_a", NOW)
    assert told.value.code == "invalid_request"
    assert told.value.parameter == field


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (Key(id="a", name="a", namespace="a", expires=NOW + 1), "good"),
        (Key(id="a", name="a", namespace="a", expires=NOW), "expired"),
        (Key(id="a", name="a", namespace="a", expires=NOW, revoked=NOW), "revoked"),
    ],
)
def test_a_key_says_whether_it_is_good(key: Key, state: str) -> None:
    assert show(key, NOW)["state"] == state
