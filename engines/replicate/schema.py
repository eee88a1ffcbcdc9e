"""What a model on Replicate takes and gives, by its own OpenAPI schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from engines.base import JSON
from engines.errors import EngineError

_OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "max_tokens": ("max_new_tokens", "max_completion_tokens", "max_output_tokens"),
    "min_tokens": ("min_new_tokens",),
    "stop": ("stop_sequences",),
}
"""Parameters that models call differently."""

_CONTENT: Final = frozenset({"prompt", "system_prompt", "messages", "image", "images", "image_input"})
"""Inputs that are made of what is asked, and are no parameters."""

_IMAGES: Final = ("images", "image_input", "image")


class Schema(NamedTuple):
    """A model's inputs by name, each a JSON schema, and what its output is."""

    inputs: Mapping[str, Mapping[str, Any]]
    required: frozenset[str]
    speaks: bool
    """Whether its output is text in pieces, which read as one when put together."""

    def input(self, parameter: str) -> str | None:
        """What the model calls a parameter; None where it has none such."""
        names = (parameter, *_OTHER_NAMES.get(parameter, ()))
        return next((name for name in names if name in self.inputs and name not in _CONTENT), None)

    def parameter(self, input: str) -> str:
        """What a caller calls an input that is a parameter."""
        return next((parameter for parameter, names in _OTHER_NAMES.items() if input in names), input)

    @property
    def parameters(self) -> frozenset[str]:
        """All that callers may send. Several answers need nothing of the model: each is a prediction of its own."""
        own = self.inputs.keys() - _CONTENT
        return frozenset({"n"} | own | {name for name in _OTHER_NAMES if self.input(name)})

    @property
    def defaults(self) -> dict[str, JSON]:
        """What the model puts for numbers that are not sent, under the callers' names."""
        given = {
            self.parameter(name): each.get("default") for name, each in self.inputs.items() if name not in _CONTENT
        }
        return {name: value for name, value in given.items() if isinstance(value, int | float)}

    @property
    def chats(self) -> bool:
        """Whether it takes a chat as such, and no prompt is needed."""
        return "messages" in self.inputs and not ("prompt" in self.inputs and "prompt" in self.required)

    @property
    def image(self) -> str | None:
        """The input that takes pictures; None where it takes none."""
        return next((name for name in _IMAGES if name in self.inputs), None)

    def is_list(self, input: str) -> bool:
        """Whether an input takes several values."""
        return self.inputs[input].get("type") == "array"


def read(document: Mapping[str, Any]) -> Schema:
    """The schema in a version's `openapi_schema`. Raises EngineError `bad_model_source` if it answers no prompts."""
    schemas = _mapping(_mapping(document.get("components")).get("schemas"))
    given = _mapping(schemas.get("Input"))
    inputs = {name: _mapping(each) for name, each in _mapping(given.get("properties")).items()}
    if not {"prompt", "messages"} & inputs.keys():
        message = "This model on Replicate takes neither `prompt` nor `messages`: it is no language model."
        raise EngineError("bad_model_source", message)
    required = given.get("required")
    return Schema(inputs, frozenset(required if isinstance(required, list) else ()), _speaks(schemas.get("Output")))


def _speaks(output: JSON) -> bool:
    written = _mapping(output)
    pieces = written.get("x-cog-array-display") == "concatenate" or written.get("x-cog-array-type") == "iterator"
    return written.get("type") == "array" and _mapping(written.get("items")).get("type") == "string" and pieces


def _mapping(value: JSON) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
