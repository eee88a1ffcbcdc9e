"""Tokens in and out, in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.events import Usage


def usage(counted: Usage, beside: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's `usage`, with what an upstream said beside the counts."""
    return {
        "prompt_tokens": counted.prompt_tokens,
        "completion_tokens": counted.completion_tokens,
        "total_tokens": counted.prompt_tokens + counted.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": counted.cached_tokens},
        **beside,
    }
