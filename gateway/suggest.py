"""A guess at what somebody meant, for error messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_LONGEST: Final = 100


def shown(word: str) -> str:
    """The word in quotes, cut where it is too long for a sentence."""
    return repr(word if len(word) <= _LONGEST else f"{word[:_LONGEST]}...")


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the known word closest to this one, or nothing."""
    if len(word) > _LONGEST:
        # Comparing takes the square of the length, and nobody mistypes that much.
        return ""
    matches = get_close_matches(word, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
