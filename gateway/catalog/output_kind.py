"""What kind of thing a model gives, as its schema says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Gives = Literal["text", "files", "values"]
"""Text piece by piece, files, or any other JSON."""


def gives(schema: Mapping[str, Any]) -> Gives:
    """What an OpenAPI document says of its `Output`."""
    output = schema.get("components", {}).get("schemas", {}).get("Output", {})
    items = output.get("items", output) if output.get("type") == "array" else output
    if output.get("x-cog-array-display") == "concatenate":
        return "text"
    return "files" if items.get("format") == "uri" else "values"
