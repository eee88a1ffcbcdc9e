"""Says how large a file is."""

from __future__ import annotations

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(self, file: Path = Input(description="Any file")) -> int:
        """Its bytes."""
        return int(file.stat().st_size)
