"""Gives several files, of which one is not there."""

import tempfile

import cog


class Predictor(cog.BaseRunner):
    def run(self, there: int, lost: int = 1) -> list[cog.Path]:
        out = cog.Path(tempfile.mkdtemp()) / "out.txt"
        out.write_text("here")
        return [out] * there + [cog.Path("/nowhere/at/all.png")] * lost
