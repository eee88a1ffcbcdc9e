"""Gives files that are not there."""

import tempfile

import cog


class Predictor(cog.BaseRunner):
    def run(self, how: str) -> cog.Path:
        if how == "none":
            return None
        if how == "folder":
            return cog.Path(tempfile.mkdtemp())
        if how == "closed":
            with tempfile.NamedTemporaryFile() as file:
                return cog.Path(file.name)
        return cog.Path("/nowhere/at/all.png")
