"""Log probabilities in OpenAI's two shapes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engines.base import TokenLogprob

_FLOOR = -9999.0
"""Said for a token that cannot be: JSON has no minus infinity."""


def chat(tokens: Iterable[TokenLogprob]) -> dict[str, Any]:
    """A chat's: one object for each token."""
    content = [
        {**_token(each.token, each.logprob), "top_logprobs": [_token(token, value) for token, value in each.top]}
        for each in tokens
    ]
    return {"content": content, "refusal": None}


def text(tokens: Iterable[TokenLogprob], offset: int) -> dict[str, Any]:
    """A completion's: columns; `offset` is where in the choice's text the first token begins."""
    columns: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for each in tokens:
        columns["tokens"].append(each.token)
        columns["token_logprobs"].append(max(each.logprob, _FLOOR))
        columns["top_logprobs"].append({token: max(value, _FLOOR) for token, value in each.top})
        columns["text_offset"].append(offset)
        offset += len(each.token)
    return columns


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": max(logprob, _FLOOR), "bytes": list(token.encode())}
