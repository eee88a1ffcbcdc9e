"""Ends in its setup, without a word to Cog."""

import os

from cog import BaseRunner


class Predictor(BaseRunner):
    def setup(self) -> None:
        os._exit(3)

    def run(self, prompt: str) -> str:
        return prompt
