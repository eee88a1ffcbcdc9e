"""Which asks are one question in plain text, and what else they consist of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

JSON = Any

MOST_CHARACTERS: Final = 2000
"""A longer text is no question: much in it may differ, and an embedding would hardly show it."""

_MORE_THAN_TEXT: Final = ("documents", "echo", "functions", "logprobs", "mm_processor_kwargs", "tools", "top_logprobs")


class Single(NamedTuple):
    """The question, and what was asked with it taken out: equal for two asks that differ in the question alone."""

    text: str
    rest: JSON


def single(messages: Sequence[Mapping[str, JSON]], parameters: Mapping[str, JSON]) -> Single | None:
    """The one question of an ask; None when there is more to it.

    It is one user message behind at most one system message; it wants one answer, in text. A raw text is never one: it
    is the beginning of what is to go on.
    """
    if not messages or int(parameters.get("n") or 1) != 1 or any(parameters.get(name) for name in _MORE_THAN_TEXT):
        return None
    *before, last = messages
    if last.get("role") != "user" or [each.get("role") for each in before] not in ([], ["system"], ["developer"]):
        return None
    found = _plain(last.get("content"))
    return None if found is None else Single(found, [*before, {**last, "content": None}])


def _plain(content: JSON) -> str | None:
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], Mapping):
        content = content[0].get("text") if content[0].get("type") == "text" else None
    if not isinstance(content, str) or not content.strip() or len(content) > MOST_CHARACTERS:
        return None
    return content
