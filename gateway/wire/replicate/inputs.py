"""Inputs against a model's own schema, refused in the words that Replicate has for that. Pure.

The schema is of whoever put the model here, whose program runs here as well; the input is anybody's. So nothing is ever
fetched, and patterns are matched by an engine that needs no more than linear time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import UnknownType, ValidationError
from jsonschema.validators import create
from pydantic_core import SchemaError, SchemaValidator, core_schema
from pydantic_core import ValidationError as Mismatch
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from engines.base import JSON
from gateway.errors import HearthError
from gateway.wire.check import shallow
from gateway.wire.replicate.fields import field_of, refused

MOST_FIELDS: Final = 50
"""Problems that are told at once."""

_DOCUMENT: Final = "urn:hearth:model"
_INPUT: Final = {"$ref": f"{_DOCUMENT}#/components/schemas/Input"}
_KEYWORDS: Final = (
    "$ref allOf anyOf oneOf type enum const required properties items minItems maxItems "
    "minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf format"
).split()
_SCHEMES: Final = ("http", "https", "data")
_HEAD: Final = 2048
"""Letters of a URL that are looked at: one of `data:` may be megabytes long."""


def check(input: Mapping[str, JSON], document: Mapping[str, Any]) -> dict[str, JSON]:
    """The inputs that the model has, if all of them are what its `Input` says; unknown ones are dropped.

    `document` is the OpenAPI document of a version. No default is put in. Raises HearthError `invalid_inputs`, its
    `invalid_fields` naming each field with a type and a description.
    """
    shallow(input)
    schema = _schema(document)
    properties = schema.get("properties")
    if not properties:
        # Nothing is known of them: the model itself says what it takes.
        return dict(input)
    known = {name: value for name, value in input.items() if name in properties}
    said = {name: value for name, value in known.items() if value is not None or not _nullable(properties[name])}
    validator = _Validator(_INPUT, registry=_registry(document), format_checker=_FORMATS)
    try:
        errors = list(islice(validator.iter_errors(said), MOST_FIELDS))
    except (Unresolvable, UnknownType, RecursionError):
        raise HearthError("invalid_inputs", "The model's own schema of its inputs is broken.") from None
    if errors:
        raise refused([field_of(error) for error in errors])
    return known


def _schema(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of the inputs, as it stands in the document; empty where it has none."""
    schema: Any = document
    for name in ("components", "schemas", "Input"):
        schema = schema.get(name) if isinstance(schema, Mapping) else None
    return schema if isinstance(schema, Mapping) else {}


def _nullable(schema: JSON) -> bool:
    return isinstance(schema, Mapping) and schema.get("nullable") is True


def _required(_: Any, names: JSON, instance: JSON, schema: JSON) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        yield from (ValidationError(name) for name in names if name not in instance)


def _pattern(_: Any, pattern: JSON, instance: JSON, schema: JSON) -> Iterator[ValidationError]:
    """In linear time; a pattern that this is impossible for is left to the model."""
    if not isinstance(instance, str):
        return
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern)).validate_python(instance)
    except Mismatch:
        yield ValidationError("pattern")
    except SchemaError:
        return


def _is_url(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        url = urlsplit(value[:_HEAD])
    except ValueError:
        return False
    return url.scheme in _SCHEMES and bool(url.netloc or url.scheme == "data")


def _formats() -> FormatChecker:
    """Of all formats only that of a file's address: others are for people."""
    formats = FormatChecker(())
    formats.checks("uri")(_is_url)
    return formats


_FORMATS: Final = _formats()
_Validator: Final = create(
    meta_schema={},
    validators={name: Draft202012Validator.VALIDATORS[name] for name in _KEYWORDS}
    | {"required": _required, "pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER,
)


def _registry(document: Mapping[str, Any]) -> Registry[Any]:
    """Where `$ref`s are looked up: in the document, and nowhere else."""
    registry: Registry[Any] = Registry().with_resource(_DOCUMENT, DRAFT202012.create_resource(document))
    return registry
