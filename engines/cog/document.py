"""What a predictor takes and gives, by its OpenAPI document. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

import msgspec

from engines.base import JSON
from engines.errors import EngineError
from engines.replicate import schema as replicate
from engines.replicate.schema import Schema


class Gives(Enum):
    """How a predictor gives its output."""

    EACH = auto()
    """One value after the other, as they are made."""
    LIST = auto()
    """A list, at the end."""
    ONE = auto()
    """One value, at the end."""
    ANYTHING = auto()
    """That is not said."""


class Facts(NamedTuple):
    """What matters of a document here."""

    gives: Gives
    output: Mapping[str, Any]
    """The schema of each value that is given."""
    inputs: Mapping[str, Mapping[str, Any]]
    """The schema of each input."""
    text: Schema | None
    """How it is asked with a prompt, where it takes one and gives text."""
    says_streams: bool
    """Whether its server would stream, as far as the document says."""
    left_out: Mapping[str, JSON] = {}
    """What it is given for inputs that a caller leaves out, where its server takes `null` for those."""

    @property
    def file_inputs(self) -> frozenset[str]:
        """Inputs that are a file, or several."""
        return frozenset(name for name, each in self.inputs.items() if is_file(each) or is_file(each.get("items")))

    @property
    def gives_files(self) -> bool:
        """Whether any of what it gives is a file."""
        return _holds_files(self.output)

    @property
    def gives_one_file(self) -> bool:
        """Whether all that it gives is one file."""
        return self.gives is Gives.ONE and is_file(self.output)


def read(document: JSON) -> Facts:
    """Raises EngineError `boot_failed` at one that says nothing of inputs or outputs."""
    schemas = _mapping(_mapping(_mapping(document).get("components")).get("schemas"))
    if "Input" not in schemas or "Output" not in schemas:
        raise EngineError("boot_failed", "The model's OpenAPI document has no schemas Input and Output.")
    output = _mapping(schemas["Output"])
    gives, each = _given(output)
    inputs = {name: _mapping(one) for name, one in _mapping(_mapping(schemas["Input"]).get("properties")).items()}
    speaks = each.get("type") == "string" and not is_file(each) and gives in (Gives.EACH, Gives.ONE)
    text = replicate.read(_mapping(document)) if speaks and {"prompt", "messages"} & inputs.keys() else None
    operation = _mapping(_mapping(_mapping(_mapping(document).get("paths")).get("/predictions")).get("post"))
    return Facts(gives, each, inputs, text, operation.get("x-cog-streaming") is True)


def left_out(document: JSON) -> dict[str, JSON]:
    """What stands for inputs that may be left out: their default, else null. A file's default is left to Cog.

    A predictor whose method is decorated is else given Cog's own objects for them.
    """
    schema = _mapping(_mapping(_mapping(_mapping(document).get("components")).get("schemas")).get("Input"))
    must = schema.get("required") or []
    known = {name: _mapping(one) for name, one in _mapping(schema.get("properties")).items() if name not in must}
    return {
        name: one.get("default")
        for name, one in known.items()
        if "default" not in one or not (is_file(one) or is_file(one.get("items")))
    }


def lenient(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same document, by which an input without a default that may be left out may be null as well."""
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    schemas = made["components"]["schemas"]
    for name, value in left_out(made).items():
        written = schemas["Input"]["properties"][name]
        if value is not None:
            continue
        for part in (written, schemas.get(name, {}) if "allOf" in written else {}):
            if isinstance(part.get("type"), str):
                part["type"] = [part["type"], "null"]
            if "enum" in part:
                part["enum"].append(None)
    return made


def is_file(schema: JSON) -> bool:
    """Whether a value of that schema is a file."""
    written = _mapping(schema)
    return written.get("type") in ("string", ["string", "null"]) and written.get("format") == "uri"


def is_whole(value: JSON, schema: JSON) -> bool:
    """Whether nothing is null in what was given that by its schema may not be."""
    written = _mapping(schema)
    if value is None:
        return "type" not in written or written.get("nullable") is True
    if isinstance(value, list):
        return all(is_whole(one, written.get("items")) for one in value)
    properties = _mapping(written.get("properties"))
    must = written.get("required") or []
    return not isinstance(value, dict) or all(is_whole(value.get(name), properties.get(name)) for name in must)


def _holds_files(schema: JSON) -> bool:
    written = _mapping(schema)
    parts = [written.get("items"), *_mapping(written.get("properties")).values()]
    return is_file(written) or any(map(_holds_files, filter(None, parts)))


def _given(output: Mapping[str, Any]) -> tuple[Gives, Mapping[str, Any]]:
    if output.get("type") == "array":
        each = _mapping(output.get("items"))
        return (Gives.EACH if output.get("x-cog-array-type") == "iterator" else Gives.LIST), each
    return (Gives.ONE if "type" in output else Gives.ANYTHING), output


def _mapping(value: JSON) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
