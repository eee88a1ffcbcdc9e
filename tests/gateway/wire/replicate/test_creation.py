"""What is asked with a new prediction."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import HearthError
from gateway.predictions.record import ALL, Hook
from gateway.wire.replicate.creation import MARGIN_S, Creation, cancel_after_s, hold_s, parse

HOOK = "https://me.example/hook?token=s3cret"


def body(**fields: Any) -> dict[str, Any]:
    return {"input": {"prompt": "hi"}, **fields}


def test_what_is_not_known_is_passed_over() -> None:
    asked = parse(body(version="abc", stream=True, wait=5, signal=None))
    assert asked == Creation("abc", {"prompt": "hi"}, None)


def test_an_input_may_be_empty_but_not_missing() -> None:
    assert parse({"input": {}}) == Creation(None, {}, None)
    with pytest.raises(HearthError) as caught:
        parse({})
    assert (caught.value.code, caught.value.message) == ("invalid_inputs", "- input is required\n")
    assert caught.value.details["invalid_fields"] == [
        {"type": "required", "field": "", "description": "input is required"}
    ]


@pytest.mark.parametrize(("wrong", "kind"), [(None, "null"), ("a secret", "string"), (["a secret"], "array")])
def test_an_input_is_an_object(wrong: Any, kind: str) -> None:
    with pytest.raises(HearthError) as caught:
        parse({"input": wrong})
    told = f"Invalid type. Expected: object, given: {kind}"
    assert (caught.value.code, caught.value.message) == ("invalid_inputs", f"- input: {told}\n")
    assert caught.value.details["invalid_fields"] == [{"type": "invalid_type", "field": "input", "description": told}]


@pytest.mark.parametrize(
    ("fields", "hook"),
    [
        ({"webhook": HOOK}, Hook(HOOK, ALL)),
        ({"webhook": HOOK, "webhook_events_filter": None}, Hook(HOOK, ALL)),
        ({"webhook": HOOK, "webhook_events_filter": []}, Hook(HOOK, ALL)),
        ({"webhook": HOOK, "webhook_events_filter": ["completed", "start"]}, Hook(HOOK, ("start", "completed"))),
        ({"webhook": HOOK, "webhook_events_filter": ["logs", "logs"]}, Hook(HOOK, ("logs",))),
        ({"webhook": HOOK, "webhook_completed": "http://old.example"}, Hook(HOOK, ALL)),
        ({"webhook_completed": "http://old.example"}, Hook("http://old.example", ("completed",))),
        ({"webhook": None, "webhook_events_filter": ["start"]}, None),
    ],
)
def test_whom_to_tell_and_of_what(fields: dict[str, Any], hook: Hook | None) -> None:
    assert parse(body(**fields)).hook == hook


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 7),
        ("version", ""),
        ("webhook", ""),
        ("webhook", 5),
        ("webhook", "ftp://s3cret.example"),
        ("webhook", "s3cret.example/hook"),
        ("webhook", "https://"),
        ("webhook", "https://s3cret.example:99999"),
        ("webhook", "https://s3cret.example/a b"),
        ("webhook", "https://s3cret.example/\r\nx: y"),
        ("webhook_completed", "mailto:s3cret"),
        ("webhook_events_filter", "start"),
        ("webhook_events_filter.1", ["start", "end"]),
    ],
)
def test_a_wrong_field_is_named_and_no_address_is_said_again(name: str, value: Any) -> None:
    with pytest.raises(HearthError) as caught:
        parse(body(**{name.partition(".")[0]: value}))
    assert (caught.value.code, caught.value.parameter) == ("invalid_request", name)
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("name", ["webhook", "webhook_completed"])
def test_an_address_that_would_never_be_called_is_refused_and_named(name: str) -> None:
    longest = "https://s3cret.example/".ljust(2048, "x")
    asked = parse(body(**{name: longest}), lambda url: None)
    assert asked.hook is not None and asked.hook.url == longest
    for url, objection in ((f"{longest}x", None), (longest, "It is not called.")):
        with pytest.raises(HearthError) as caught:
            parse(body(**{name: url}), lambda url: objection)  # noqa: B023
        assert (caught.value.code, caught.value.row.status, caught.value.parameter) == ("invalid_inputs", 422, name)
        assert f"`{name}`" in caught.value.message and "s3cret" not in caught.value.message


def test_the_client_that_sends_itself_is_told_so_and_its_token_goes_nowhere() -> None:
    spilled = {"auth": "r8_s3cret", "userAgent": "replicate-javascript/1.4.0", "baseUrl": "https://gw", "fetch": {}}
    with pytest.raises(HearthError) as caught:
        parse({"input": spilled})
    error = caught.value
    assert (error.code, error.row.status) == ("invalid_inputs", 422)
    assert "data-uri" in error.message
    assert "s3cret" not in f"{error!r} {error} {error.details}"


def test_a_body_too_deep_to_walk_is_refused() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(HearthError):
        parse({"input": {"prompt": deep}})


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0.0),
        ("", 0.0),
        ("respond-async", 0.0),
        ("wait", 59.0),
        ("Wait", 59.0),
        ("wait=", 59.0),
        ("wait=60", 59.0),
        ("wait=600", 59.0),
        ("wait=10", 9.0),
        ('wait="10"', 9.0),
        ("respond-async, wait=10", 9.0),
        ("wait=10, wait=20", 9.0),
        ("wait=2", 1.0),
        ("wait=1", 0.5),
        ("wait=0", 0.0),
        ("wait=-1", 0.0),
        ("wait=1.5", 0.0),
        ("wait=soon", 0.0),
        ("wait=" + "9" * 5000, 0.0),
    ],
)
def test_a_request_is_held_as_long_as_its_client_waits_less_a_margin(prefer: str | None, seconds: float) -> None:
    assert hold_s(prefer) == seconds


@given(st.integers(1, 10**6))
def test_the_hold_ends_strictly_before_its_client_gives_up(seconds: int) -> None:
    assert 0.5 <= hold_s(f"wait={seconds}") <= max(0.5, min(seconds, 60) - MARGIN_S) < min(seconds, 60)


@given(st.text(max_size=60))
def test_no_preference_breaks_anything(prefer: str) -> None:
    assert 0 <= hold_s(prefer) < 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("90", 90),
        ("90s", 90),
        (" 5 ", 5),
        ("1h30m45s", 5445),
        ("1h", 3600),
        ("2m", 120),
        ("1m30", 90),
        ("90M", 5400),
        ("24h", 86400),
        ("86400", 86400),
    ],
)
def test_a_deadline_is_seconds_or_units(header: str | None, seconds: float | None) -> None:
    assert cancel_after_s(header) == seconds


@pytest.mark.parametrize(
    "header", ["", "4", "4s", "0", "-5", "86401", "24h1s", "5d", "1s1m", "soon", "1.5m", "٩٩", "9" * 5000]
)
def test_any_other_deadline_is_refused(header: str) -> None:
    with pytest.raises(HearthError) as caught:
        cancel_after_s(header)
    assert (caught.value.code, caught.value.parameter) == ("invalid_request", "Cancel-After")
