"""Fails in its setup."""

from cog import BaseRunner


class Predictor(BaseRunner):
    def setup(self) -> None:
        print("looking for the weights")
        raise RuntimeError("no weights are here")

    def run(self, prompt: str) -> str:
        return prompt
