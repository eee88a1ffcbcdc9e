"""Counts, one number after another."""

from __future__ import annotations

from collections.abc import Iterator

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(self, to: int = Input(description="How far", ge=0, le=1000)) -> Iterator[str]:
        """Count up to it."""
        for number in range(1, to + 1):
            print(f"counted {number}")
            yield f"{number}\n"
