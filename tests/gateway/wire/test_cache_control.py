"""What callers want of the cache, and what they are told."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.errors import HearthError
from gateway.wire.cache_control import PLAIN, Control, Told, headers, of_body, with_headers


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ([], PLAIN),
        (["no-cache"], Control(no_cache=True)),
        (["No-Store , max-age=5"], Control(no_store=True, max_age_s=5)),
        (["no-cache", "only-if-cached"], Control(no_cache=True, only_if_cached=True)),
        (['max-age="60", min-fresh=7'], Control(max_age_s=60, min_fresh_s=7)),
        (["max-stale=5, no-transform, x=y, =, ,"], PLAIN),
        (["max-age=soon"], Control(max_age_s=0)),
        (["max-age=-1"], Control(max_age_s=0)),
        (["max-age=1.5"], Control(max_age_s=0)),
        (["max-age=²"], Control(max_age_s=0)),
        (["max-age"], Control(max_age_s=0)),
        (['private="no-store"'], PLAIN),
        (["max-age=60, max-age=5"], Control(max_age_s=5)),
    ],
)
def test_the_header_means_what_http_says(said: list[str], meant: Control) -> None:
    assert with_headers(PLAIN, said) == meant


def test_a_long_header_costs_little() -> None:
    began = time.perf_counter()
    for header in ("a" * 60_000 + " b", '"' * 60_000, "," * 60_000, "a=" * 30_000):
        with_headers(PLAIN, [header])
    assert time.perf_counter() - began < 1


@given(some.lists(some.text()))
def test_no_header_breaks_anything(said: list[str]) -> None:
    with_headers(PLAIN, said)


def test_the_bodys_object_is_the_one_that_others_made_known() -> None:
    said = {"no-cache": True, "no-store": False, "ttl": 60, "s-maxage": 5, "namespace": "x", "use-cache": True}
    assert of_body(said) == Control(no_cache=True, ttl_s=60, max_age_s=5, namespace="x", use=True)
    assert of_body(None) == of_body({}) == of_body({"ttl": None}) == PLAIN
    assert of_body({"semantic": False}) == Control(semantic=False)


@pytest.mark.parametrize(
    ("said", "where"),
    [
        (5, "cache"),
        ({"tll": 5}, "cache.tll"),
        ({"ttl": -1}, "cache.ttl"),
        ({"ttl": "5"}, "cache.ttl"),
        ({"ttl": 10**12}, "cache.ttl"),
        ({"no-cache": 1}, "cache.no-cache"),
        ({"namespace": ""}, "cache.namespace"),
    ],
)
def test_an_object_that_makes_no_sense_is_told_by_its_field(said: Any, where: str) -> None:
    with pytest.raises(HearthError) as told:
        of_body(said)
    assert (told.value.code, told.value.parameter) == ("invalid_request", where)


def test_the_stricter_of_body_and_header_counts() -> None:
    both = with_headers(of_body({"s-maxage": 60, "no-store": True}), ["max-age=5"])
    assert both == Control(no_store=True, max_age_s=5)
    assert with_headers(of_body({"s-maxage": 5}), ["max-age=60"]).max_age_s == 5


def test_a_hit_says_how_old_it_is_and_how_long_it_is_good() -> None:
    assert headers(Told("HIT", "ab", 7.9, 60.2, "gen_1")) == {
        "x-cache": "HIT",
        "cache-status": 'hearth; hit; ttl=60; key="ab"',
        "age": "7",
        "x-cache-ttl": "60",
        "x-cache-key": "ab",
        "x-cache-source-id": "gen_1",
    }


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (Told("MISS", "ab"), 'hearth; fwd=miss; key="ab"'),
        (Told("MISS", "ab", why="request"), 'hearth; fwd=request; key="ab"'),
        (Told("JOIN", "ab", source="gen_1"), 'hearth; fwd=miss; collapsed; key="ab"'),
        (Told("BYPASS", why="no-store"), 'hearth; fwd=bypass; detail="no-store"'),
    ],
)
def test_what_was_no_hit_says_why(told: Told, status: str) -> None:
    said = headers(told)
    assert (said["x-cache"], said["cache-status"]) == (told.how, status)
    assert "age" not in said


def test_an_answer_to_a_like_question_says_how_like() -> None:
    said = headers(Told("HIT", "ab", 1, 2, "gen_1", similarity=0.97312))
    assert said["x-cache-similarity"] == "0.9731" and 'detail="like"' in said["cache-status"]
