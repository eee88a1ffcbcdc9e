"""Does not hear that it is canceled while it sleeps, and then sleeps on."""

import time

from cog import BaseRunner


class Predictor(BaseRunner):
    def run(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"
