"""Inputs against a model's own schema, as Cog writes it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import HearthError
from gateway.wire.replicate.inputs import MOST_FIELDS, check

SCHEDULER = {"title": "scheduler", "type": "string", "enum": ["DDIM", "K_EULER"], "description": "An enumeration."}
PROPERTIES: dict[str, Any] = {
    "prompt": {"type": "string", "title": "Prompt", "minLength": 1, "maxLength": 20, "x-order": 0},
    "image": {"type": "string", "format": "uri", "title": "Image"},
    "n": {"type": "integer", "minimum": 1, "maximum": 4, "default": 1},
    "guidance": {"type": "number", "minimum": 0, "maximum": 50},
    "scheduler": {"allOf": [{"$ref": "#/components/schemas/scheduler"}], "default": "DDIM"},
    "seed": {"type": "integer", "nullable": True},
    "name": {"type": "string", "pattern": "^[a-z]+$"},
    "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
    "images": {"type": "array", "items": {"type": "string", "format": "uri"}},
    "choice": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    "safe": {"type": "boolean"},
    "extra": {"type": "object"},
}


def document(properties: dict[str, Any] = PROPERTIES, *required: str, **schemas: Any) -> dict[str, Any]:
    input = {"type": "object", "title": "Input", "properties": properties, "required": list(required)}
    return {"openapi": "3.0.2", "components": {"schemas": {"Input": input, "scheduler": SCHEDULER, **schemas}}}


def fields(input: dict[str, Any], document: dict[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(HearthError) as caught:
        check(input, document)
    error = caught.value
    assert (error.code, error.row.status) == ("invalid_inputs", 422)
    told = [(field["type"], field["field"], field["description"]) for field in error.details["invalid_fields"]]
    assert error.message == "".join(f"- {field}: {description}\n" for _, field, description in told)
    return told


def test_what_fits_is_given_as_it_came() -> None:
    input = {
        "prompt": "a horse",
        "image": "https://a.example/b.png",
        "n": 4,
        "guidance": 7,
        "scheduler": "K_EULER",
        "seed": None,
        "name": "abc",
        "tags": ["x", "y"],
        "images": ["data:image/png;base64,AAAA"],
        "choice": ["a"],
        "safe": False,
        "extra": {"any": ["thing"]},
    }
    assert check(input, document(PROPERTIES, "prompt")) == input


def test_no_default_is_put_in_and_unknown_inputs_are_dropped() -> None:
    assert check({"prompt": "a", "wat": 1}, document()) == {"prompt": "a"}


def test_a_missing_input_is_told_as_the_service_tells_it() -> None:
    with pytest.raises(HearthError) as caught:
        check({}, document(PROPERTIES, "prompt"))
    assert caught.value.message == "- input: prompt is required\n"
    assert caught.value.details["invalid_fields"] == [
        {"type": "required", "field": "input", "description": "prompt is required"}
    ]


@pytest.mark.parametrize(
    ("name", "value", "kind", "description"),
    [
        ("n", 5, "number_lte", "Must be less than or equal to 4"),
        ("n", 0, "number_gte", "Must be greater than or equal to 1"),
        ("n", "2", "invalid_type", "Invalid type. Expected: integer, given: string"),
        ("n", None, "invalid_type", "Invalid type. Expected: integer, given: null"),
        ("n", True, "invalid_type", "Invalid type. Expected: integer, given: boolean"),
        ("n", 1.5, "invalid_type", "Invalid type. Expected: integer, given: number"),
        ("guidance", "hot", "invalid_type", "Invalid type. Expected: number, given: string"),
        ("scheduler", "NONE", "enum", 'input.scheduler must be one of the following: "DDIM", "K_EULER"'),
        ("prompt", "", "string_gte", "String length must be greater than or equal to 1"),
        ("prompt", "x" * 21, "string_lte", "String length must be less than or equal to 20"),
        ("name", "ABC", "pattern", "Does not match pattern '^[a-z]+$'"),
        ("image", "not a url", "format", "Does not match format 'uri'"),
        ("image", "file:///etc/passwd", "format", "Does not match format 'uri'"),
        ("image", "https://[", "format", "Does not match format 'uri'"),
        ("tags", ["a", "b", "c"], "array_max_items", "Array must have at most 2 items"),
        ("choice", 3, "invalid_type", "Invalid type. Expected: array/string, given: integer"),
        ("safe", "yes", "invalid_type", "Invalid type. Expected: boolean, given: string"),
        ("extra", [], "invalid_type", "Invalid type. Expected: object, given: array"),
    ],
)
def test_a_wrong_input_is_named_with_what_is_wrong(name: str, value: Any, kind: str, description: str) -> None:
    assert fields({name: value}, document()) == [(kind, f"input.{name}", description)]


def test_what_stands_deeper_is_named_by_its_path() -> None:
    assert fields({"tags": ["a", 1]}, document()) == [
        ("invalid_type", "input.tags.1", "Invalid type. Expected: string, given: integer")
    ]


def test_all_problems_are_told_at_once_but_not_without_end() -> None:
    assert len(fields({"n": 9, "seed": "x", "scheduler": "?"}, document(PROPERTIES, "prompt"))) == 4
    assert len(fields({"images": [1] * 1000}, document())) == MOST_FIELDS


def test_no_value_is_said_again() -> None:
    with pytest.raises(HearthError) as caught:
        check(dict.fromkeys(PROPERTIES, "S3CRET" * 5) | {"prompt": "S3CRET" * 5}, document())
    assert "S3CRET" not in f"{caught.value.message} {caught.value.details}"


def test_a_pattern_that_would_take_for_ever_takes_no_time() -> None:
    nested = document({"name": {"type": "string", "pattern": "^(a+)+$"}})
    began = time.monotonic()
    assert fields({"name": "a" * 50_000 + "b"}, nested)[0][0] == "pattern"
    assert time.monotonic() - began < 5


def test_a_pattern_beyond_that_is_left_to_the_model() -> None:
    input = {"name": "abc"}
    assert check(input, document({"name": {"type": "string", "pattern": r"(?=x)\1"}})) == input


@pytest.mark.parametrize(
    "property",
    [
        {"$ref": "https://elsewhere.example/schema.json"},
        {"$ref": "#/components/schemas/none"},
        {"$ref": "#/components/schemas/loop"},
        {"type": "file"},
    ],
)
def test_a_broken_schema_fetches_nothing_and_harms_nobody(property: dict[str, Any]) -> None:
    broken = document({"a": property}, loop={"$ref": "#/components/schemas/loop"})
    with pytest.raises(HearthError) as caught:
        check({"a": 1}, broken)
    assert caught.value.code == "invalid_inputs" and "broken" in caught.value.message


@pytest.mark.parametrize("document", [{}, {"components": {}}, document({}), {"components": {"schemas": {"Input": {}}}}])
def test_where_nothing_is_known_of_the_inputs_all_are_passed_on(document: dict[str, Any]) -> None:
    assert check({"anything": 1}, document) == {"anything": 1}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*PROPERTIES, "wat"]), VALUES, max_size=6))
def test_whatever_is_sent_is_taken_or_refused_by_name(input: dict[str, Any]) -> None:
    try:
        assert check(input, document()) == {name: value for name, value in input.items() if name != "wat"}
    except HearthError as error:
        told = {field["field"].split(".")[1] for field in error.details["invalid_fields"]}
        assert told and told <= input.keys()
