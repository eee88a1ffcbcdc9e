"""Which engine a conversation goes to, so that its next turn meets its own prefix in that engine's cache.

Nothing is remembered: every replica finds the same engine by rendezvous hashing (Thaler and Ravishankar, 1998) of how
the conversation began, and goes on to the next best when that one has too much to do (consistent hashing with bounded
loads: Mirrokni, Thorup and Zadimoghaddam, 2016).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import orjson

from engines.base import Prompt

_TEXT_HEAD: Final = 2048
"""Characters of a raw prompt that tell it from others; one that is shorter has no prefix worth keeping."""


def conversation(prompt: Prompt) -> bytes | None:
    """What stays the same from one turn of a conversation to its next; None where there is no next turn to speak of."""
    if prompt.is_chat:
        return hashlib.blake2b(orjson.dumps(_opening(prompt.messages)), digest_size=16).digest()
    head = prompt.texts[0] if prompt.texts else ""
    if len(head) < _TEXT_HEAD:
        return None
    return hashlib.blake2b(repr(head[:_TEXT_HEAD]).encode(), digest_size=16).digest()


def _opening(messages: tuple[dict[str, object], ...]) -> list[dict[str, object]]:
    """Everything to the first word of the user."""
    for index, message in enumerate(messages):
        if message.get("role") == "user":
            return list(messages[: index + 1])
    return list(messages)


def ranked(conversation: bytes, engines: Iterable[str]) -> list[str]:
    """The engines, the conversation's own first; to add or lose one moves the conversations of no other."""

    def weight(engine: str) -> bytes:
        return hashlib.blake2b(engine.encode(), key=conversation, digest_size=8).digest()

    return sorted(engines, key=weight, reverse=True)
