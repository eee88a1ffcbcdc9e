"""Speaks in words that are made from the prompt, one after the other; some prompts have it fail."""

import hashlib
import os
from threading import Event

from cog import BaseRunner, ConcatenateIterator, Input, Path
from words import PAUSE_S


class Predictor(BaseRunner):
    def setup(self) -> None:
        self.beside = (Path(__file__).parent / "beside.txt").read_text().strip()
        with open("beside.txt") as relative:
            print("ready with", relative.read().strip())

    def run(
        self,
        prompt: str = Input(description="What it is told."),
        max_tokens: int = Input(default=5, ge=1, le=100_000),
        temperature: float = Input(default=1.0),
        ignore_eos: bool = Input(default=False),
        voice: str = Input(default="low", choices=["low", "high"]),
        picture: Path = Input(default=None),
    ) -> ConcatenateIterator[str]:
        self.record_metric("voice", voice)
        print("told", prompt)
        if prompt == "environment":
            yield " ".join(sorted(os.environ))
            return
        if prompt == "fail":
            raise ValueError("this is not for me")
        if prompt == "memory":
            raise MemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        mark = hashlib.sha256(prompt.encode()).hexdigest()[:6]
        for index in range(max_tokens):
            if prompt == "die" and index == 2:
                os._exit(3)
            yield f"{' ' if index else ''}{mark}.{index}"
            Event().wait(PAUSE_S)
