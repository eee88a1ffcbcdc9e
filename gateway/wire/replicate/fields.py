"""What is wrong with which input, in the words of the library that Replicate validates with. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

from jsonschema.exceptions import ValidationError

from engines.base import JSON
from gateway.errors import HearthError


class Field(TypedDict):
    """One of `invalid_fields`; `field` is where it stands, as `input.n`; empty for the whole body."""

    type: str
    field: str
    description: str


def refused(fields: Sequence[Field]) -> HearthError:
    """The error for these fields."""
    detail = "".join(f"- {': '.join(filter(None, (field['field'], field['description'])))}\n" for field in fields)
    return HearthError("invalid_inputs", detail, invalid_fields=fields)


def missing(name: str, where: str = "input") -> Field:
    """The field for what must be there and is not; `where` is empty for the body itself."""
    return {"type": "required", "field": where, "description": f"{name} is required"}


def mistyped(where: str, expected: str, given: JSON) -> Field:
    """The field for what is of another type."""
    return {"type": "invalid_type", "field": where, "description": _mistyped({expected}, given)}


def field_of(error: ValidationError) -> Field:
    """What is wrong where, by an error of the validator."""
    field = ".".join(["input", *map(str, error.absolute_path)])
    kind, description = _told(error, field)
    return {"type": kind, "field": field, "description": description}


def _told(error: ValidationError, field: str) -> tuple[str, str]:
    """The type and the description of a problem, in the words of the library that Replicate validates with."""
    limit: Any = error.validator_value
    match error.validator:
        case "required":
            return "required", f"{error.message} is required"
        case "enum":
            return "enum", f"{field} must be one of the following: {', '.join(map(_written, limit))}"
        case "type":
            return "invalid_type", _mistyped({*(limit if isinstance(limit, list) else [limit])}, error.instance)
        case "anyOf" | "oneOf" if error.context and all(each.validator == "type" for each in error.context):
            return "invalid_type", _mistyped({str(each.validator_value) for each in error.context}, error.instance)
        case "pattern":
            return "pattern", f"Does not match pattern '{limit}'"
        case "format":
            return "format", f"Does not match format '{limit}'"
        case keyword if keyword in _WORDS:
            kind, words = _WORDS[str(keyword)]
            return kind, words.format(limit)
    return str(error.validator), "Does not match the model's schema"


_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "minimum": ("number_gte", "Must be greater than or equal to {}"),
    "maximum": ("number_lte", "Must be less than or equal to {}"),
    "exclusiveMinimum": ("number_gt", "Must be greater than {}"),
    "exclusiveMaximum": ("number_lt", "Must be less than {}"),
    "multipleOf": ("multiple_of", "Must be a multiple of {}"),
    "minLength": ("string_gte", "String length must be greater than or equal to {}"),
    "maxLength": ("string_lte", "String length must be less than or equal to {}"),
    "minItems": ("array_min_items", "Array must have at least {} items"),
    "maxItems": ("array_max_items", "Array must have at most {} items"),
    "const": ("const", "Does not match: {}"),
    "anyOf": ("number_any_of", "Must validate at least one schema (anyOf)"),
    "oneOf": ("number_one_of", "Must validate one and only one schema (oneOf)"),
}


def _mistyped(expected: set[str], given: JSON) -> str:
    return f"Invalid type. Expected: {'/'.join(sorted(expected))}, given: {_kind(given)}"


def _kind(value: JSON) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _written(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)
