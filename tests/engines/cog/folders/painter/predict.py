"""Gives one file back: the one that it was given, in capitals."""

import tempfile

import cog


class Predictor(cog.BaseRunner):
    def run(self, text: cog.Path, name: str = "painted.txt") -> cog.Path:
        print("suffix", text.suffix)
        out = cog.Path(tempfile.mkdtemp()) / name
        out.write_bytes(text.read_bytes().upper())
        return out
