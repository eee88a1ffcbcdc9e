"""Does not hear that it is canceled while it waits, and then waits on."""

from threading import Event

from cog import BaseRunner


class Predictor(BaseRunner):
    def run(self, seconds: float) -> str:
        Event().wait(seconds)
        return "waited"
