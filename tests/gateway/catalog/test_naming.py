"""The owners and names by which Replicate's clients know models."""

from __future__ import annotations

import re

import pytest

from gateway.catalog.naming import Reference, full_name, full_names, read

DIGITS = "0123456789abcdef" * 4

CLIENTS = re.compile(r"^(?P<owner>[^/]+)/(?P<name>[^/:]+)(:(?P<version>.+))?$")
"""What the official clients take for an identifier."""


@pytest.mark.parametrize(
    ("model", "called"),
    [
        ("campfire", "hearth/campfire"),
        ("meta/llama-3", "meta/llama-3"),
        ("llama:8b", "hearth/llama-8b"),
        ("meta/llama:8b?", "meta/llama-8b-"),
        ("a/b/c", "hearth/a-b-c"),
        ("/b", "hearth/-b"),
        ("b/", "hearth/b-"),
        ("../b", "hearth/..-b"),
        ("b/.", "hearth/b-."),
    ],
)
def test_a_model_that_no_name_is_set_for_has_one_that_clients_take(model: str, called: str) -> None:
    assert full_name(model) == called
    assert CLIENTS.match(called)


def test_a_name_that_is_set_is_the_models_own() -> None:
    assert full_names(["a", "b"], {"a": "acme/one"}) == {"a": "acme/one", "b": "hearth/b"}


def test_models_may_be_given_one_name() -> None:
    names = full_names(["old", "new"], {"old": "acme/one", "new": "acme/one"})
    assert names == {"old": "acme/one", "new": "acme/one"}


def test_a_model_may_be_given_the_name_that_another_has_by_itself() -> None:
    assert full_names(["acme/one", "new"], {"new": "acme/one"}) == {"acme/one": "acme/one", "new": "acme/one"}


def test_two_models_that_come_to_one_name_by_accident_are_told_apart_by_whoever_named_them() -> None:
    with pytest.raises(ValueError, match=r"llama:8b and llama-8b are both hearth/llama-8b"):
        full_names(["llama:8b", "llama-8b"], {})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (DIGITS, Reference(None, DIGITS)),
        ("acme/one", Reference("acme/one", None)),
        ("acme/one:latest", Reference("acme/one", None)),
        (f"acme/one:{DIGITS}", Reference("acme/one", DIGITS)),
    ],
)
def test_a_version_is_written_in_four_ways(written: str, meant: Reference) -> None:
    assert read(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "one",
        DIGITS[1:],
        DIGITS.upper(),
        "acme/one:",
        "acme/one:v2",
        "a/b/c",
        f"one:{DIGITS}",
        "/",
        "é/b",
        "./b",
        "b/..",
    ],
)
def test_anything_else_means_no_version(written: str) -> None:
    assert read(written) is None
