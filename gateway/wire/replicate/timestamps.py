"""Moments as Replicate writes them: ISO 8601 in UTC, to the microsecond, with a Z."""

from __future__ import annotations

from datetime import UTC, datetime


def written(seconds: float) -> str:
    """That moment (unix seconds)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read(text: str) -> float:
    """The unix seconds of a moment in ISO 8601; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
