"""Gives a list, which is one output however it comes."""

from cog import BaseRunner


class Predictor(BaseRunner):
    def run(self, count: int = 3) -> list[str]:
        print("listing")
        return [str(number) for number in range(count)]
