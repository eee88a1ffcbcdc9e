"""Says what it is given for inputs that are left out; its method is wrapped, as by torch.inference_mode()."""

import functools
from collections.abc import Callable
from typing import Any

import cog


def wrapped(work: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(work)
    def call(*given: Any, **named: Any) -> str:
        return work(*given, **named)

    return call


class Predictor(cog.BaseRunner):
    @wrapped
    def run(
        self,
        word: str = cog.Input(default=None),
        image: cog.Path = cog.Input(default=None),
        count: int | None = cog.Input(default=None),
        size: int = cog.Input(default=3),
        mode: str = cog.Input(default=None, choices=["fast", "best"]),
    ) -> str:
        return f"{word} {image} {count} {size} {mode}"
