"""Where predictions are: in the Redis that the user named, else in a file."""

from __future__ import annotations

from pathlib import Path

from gateway.clock import Clock
from gateway.predictions.base import Predictions
from gateway.predictions.sqlite import SqlitePredictions
from gateway.redis.address import Address


def open_predictions(redis: Address | None, file: Path, clock: Clock) -> Predictions:
    """The store of predictions; nothing is connected or made yet."""
    if redis is None:
        return SqlitePredictions(file, clock.wall)
    # Whoever has no Redis need not wait for its client's import.
    from gateway.predictions.redis import RedisPredictions

    return RedisPredictions(redis, clock)
