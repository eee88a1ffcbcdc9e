"""Writes a predictor's OpenAPI document, by looking at it in its own environment. Cog and the standard library alone.

Run as `python inspecting.py predict.py:Predictor FILE` where the predictor's folder is the working directory. FILE is
given {"document": ..., "concurrency": ...}. What the predictor prints while it is imported goes where it likes.
`cog build` writes the same document; it needs Go and Docker. What leans on Cog's insides stands here; Cog is pinned.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field
from typing import Any

import cog
from cog import _inspector
from cog._adt import InputField, OutputKind, PredictorInfo, Repetition

_ITERATORS = (OutputKind.ITERATOR, OutputKind.CONCAT_ITERATOR)


def main(reference: str, file: str) -> None:
    """Look at the predictor and write what is to be known of it. Raises whatever its module raises."""
    path, _, name = reference.partition(":")
    module_name = os.path.basename(path).removesuffix(".py")
    # In place of this file's own folder.
    sys.path[0] = os.getcwd()
    optional = _watch_inputs()
    # As Cog itself loads it: from that file, wherever it is.
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    told = {
        "document": document(_inspector.create_predictor(module_name, name), optional(getattr(module, name))),
        "concurrency": concurrency(getattr(module, name)),
    }
    with open(file, "w", encoding="utf-8") as written:
        json.dump(told, written)


def document(predictor: PredictorInfo, optional: set[str]) -> dict[str, Any]:
    """The OpenAPI document, in the shape that Replicate's clients read; `optional` inputs may be left out."""
    schemas: dict[str, Any] = {}
    inputs = sorted(predictor.inputs.values(), key=lambda each: each.order)
    properties = {each.name: _property(each, schemas) for each in inputs}
    schemas["Input"] = {"title": "Input", "type": "object", "properties": properties}
    if required := [each.name for each in inputs if _is_required(each) and each.name not in optional]:
        schemas["Input"]["required"] = required
    schemas["Output"] = predictor.output.json_type()
    operation: dict[str, Any] = {"summary": "Predict", "operationId": "predict_predictions_post"}
    if predictor.output.kind in _ITERATORS:
        operation["x-cog-streaming"] = True
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {"/predictions": {"post": operation}},
        "components": {"schemas": schemas},
    }


def concurrency(predictor: Any) -> int:
    """How many predictions it may run at once, as its decorator says."""
    return max(getattr(work, "__cog_concurrent_max__", 1) for work in _works(predictor))


def _works(predictor: Any) -> list[Any]:
    """What may answer: the predictor itself where it is a function, else its methods."""
    return [work for work in (predictor, *(getattr(predictor, name, None) for name in ("run", "predict"))) if work]


def _watch_inputs() -> Callable[[Any], set[str]]:
    """Have `Input(default=None)` told from `Input()`, which Cog does not: a way to the inputs of the former."""
    spoken: list[Any] = []
    make = cog.Input

    def watched(*given: Any, **named: Any) -> Any:
        made = make(*given, **named)
        if given or "default" in named:
            spoken.append(made)
        return made

    cog.Input = watched

    def optional(predictor: Any) -> set[str]:
        parameters = [inspect.signature(work).parameters for work in _works(predictor)]
        return {
            name for each in parameters for name, one in each.items() if any(one.default is made for made in spoken)
        }

    return optional


def _property(each: InputField, schemas: dict[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {"title": each.name.replace("_", " ").title()}
    if each.choices:
        kind = "integer" if isinstance(each.choices[0], int) else "string"
        schemas[each.name] = {
            "title": each.name,
            "description": "An enumeration.",
            "type": kind,
            "enum": list(each.choices),
        }
        written["allOf"] = [{"$ref": f"#/components/schemas/{each.name}"}]
    else:
        written.update(each.type.json_type())
    told = {
        "description": each.description,
        "minimum": _plain(each.ge),
        "maximum": _plain(each.le),
        "minLength": each.min_length,
        "maxLength": each.max_length,
        "pattern": each.regex,
        "deprecated": each.deprecated,
        "default": _default(each),
    }
    written.update({name: value for name, value in told.items() if value is not None})
    if each.type.repetition in (Repetition.OPTIONAL, Repetition.OPTIONAL_REPEATED):
        written["nullable"] = True
    written["x-order"] = each.order
    return written


def _default(each: InputField) -> Any:
    given = each.default
    if isinstance(given, Field):
        given = given.default_factory() if given.default_factory is not MISSING else given.default
    if given is MISSING or given is None:
        return None
    encoded = each.type.json_encode(given)
    return str(encoded) if isinstance(encoded, os.PathLike) else encoded


def _is_required(each: InputField) -> bool:
    return each.default is None and each.type.repetition not in (Repetition.OPTIONAL, Repetition.OPTIONAL_REPEATED)


def _plain(bound: float | None) -> float | None:
    """Cog holds bounds of whole numbers as floats."""
    return int(bound) if bound is not None and bound.is_integer() else bound


if __name__ == "__main__":
    main(*sys.argv[1:])
