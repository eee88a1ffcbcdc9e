"""Does not say what it gives."""

from cog import BaseRunner


class Predictor(BaseRunner):
    def run(self, prompt: str):
        return prompt
