"""Gives a text back, louder, as a file."""

from __future__ import annotations

import tempfile

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(
        self,
        text: Path = Input(description="A text file"),
        times: int = Input(description="How often", ge=1, le=3, default=1),
    ) -> list[Path]:
        """Shout it."""
        print("shouting")
        louder = Path(tempfile.mkdtemp()) / "louder.txt"
        louder.write_text(text.read_text().upper())
        return [louder] * times
