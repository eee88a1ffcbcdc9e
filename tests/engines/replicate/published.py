"""Models that the stand-in for Replicate serves: their schemas are laid out as those of the real ones."""

from __future__ import annotations

from typing import Any, NamedTuple

LLAMA, CHAT, JUDGE, WHOLE, EYES = "acme/llama", "acme/chat", "acme/judge", "acme/whole", "acme/eyes"


class Published(NamedTuple):
    """A model that people may run."""

    name: str
    version: str
    inputs: dict[str, dict[str, Any]]
    required: tuple[str, ...]
    output: dict[str, Any]
    official: bool = False

    @property
    def streams(self) -> bool:
        return self.output.get("x-cog-array-type") == "iterator"

    @property
    def schema(self) -> dict[str, Any]:
        """As `openapi_schema` has it."""
        given = {"type": "object", "title": "Input", "properties": self.inputs, "required": list(self.required)}
        return {"openapi": "3.0.2", "components": {"schemas": {"Input": given, "Output": self.output}}}


PIECES = {
    "type": "array",
    "items": {"type": "string"},
    "title": "Output",
    "x-cog-array-type": "iterator",
    "x-cog-array-display": "concatenate",
}

_PROMPT = {"type": "string", "title": "Prompt", "default": "", "x-order": 0}
_SAMPLING: dict[str, dict[str, Any]] = {
    "max_tokens": {"type": "integer", "title": "Max Tokens", "default": 32, "minimum": 1, "maximum": 4096},
    "temperature": {"type": "number", "title": "Temperature", "default": 0.6},
    "seed": {"type": "integer", "title": "Seed"},
}

MODELS = (
    Published(
        LLAMA,
        "1" * 64,
        {
            "prompt": _PROMPT,
            "system_prompt": {"type": "string", "default": "You are a helpful assistant."},
            **_SAMPLING,
            "top_k": {"type": "integer", "default": 0},
            "top_p": {"type": "number", "default": 0.95},
            "stop_sequences": {"type": "string", "default": "<|end_of_text|>,<|eot_id|>"},
            "presence_penalty": {"type": "number", "default": 0},
            "prompt_template": {"type": "string", "default": "{system_prompt} {prompt}"},
            "ignore_eos": {"type": "boolean", "default": False},
        },
        ("prompt",),
        PIECES,
    ),
    Published(
        CHAT,
        "hidden",
        {
            "prompt": {"type": "string", "nullable": True},
            "system_prompt": {"type": "string", "nullable": True},
            "messages": {"type": "array", "items": {"type": "object"}, "default": []},
            "max_completion_tokens": {"type": "integer", "nullable": True},
            "temperature": {"type": "number", "default": 1},
        },
        (),
        PIECES,
        official=True,
    ),
    Published(JUDGE, "2" * 64, {"prompt": _PROMPT}, ("prompt",), {"type": "object", "title": "Output"}),
    Published(
        WHOLE, "3" * 64, {"prompt": _PROMPT, "max_new_tokens": {"type": "integer"}}, ("prompt",), {"type": "string"}
    ),
    Published(
        EYES,
        "4" * 64,
        {"image": {"type": "string", "format": "uri"}, "prompt": _PROMPT, **_SAMPLING},
        ("image", "prompt"),
        PIECES,
    ),
)
