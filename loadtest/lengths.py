"""How long prompts and answers are: a distribution that is stated, drawn from, and printed with the result. No I/O."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

MOST = 100_000


class LengthError(ValueError):
    """A distribution that cannot be read, or has no bounds."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Whole numbers from `low` to `high`: uniform, or lognormal about a median and clipped to them."""

    low: int
    high: int
    median: float | None = None
    sigma: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.low <= self.high <= MOST and self.sigma >= 0 and (self.median is None or self.median > 0)):
            raise LengthError(f"lengths are from 1 to {MOST}, the lower one first; not {self.low} to {self.high}")

    @classmethod
    def parse(cls, text: str) -> Lengths:
        """Read N, LOW:HIGH, or lognormal:MEDIAN:SIGMA:LOW:HIGH. Raises LengthError."""
        try:
            match text.split(":"):
                case ["lognormal", median, sigma, low, high]:
                    return cls(int(low), int(high), float(median), float(sigma))
                case [low, high]:
                    return cls(int(low), int(high))
                case [fixed]:
                    return cls(int(fixed), int(fixed))
        except ValueError as error:
            if isinstance(error, LengthError):
                raise
        raise LengthError(f"{text!r} is neither N, nor LOW:HIGH, nor lognormal:MEDIAN:SIGMA:LOW:HIGH")

    @classmethod
    def fixed(cls, length: int) -> Lengths:
        """Always the same."""
        return cls(length, length)

    def draw(self, chance: random.Random) -> int:
        """Return one."""
        if self.median is None:
            return chance.randint(self.low, self.high)
        return min(self.high, max(self.low, round(chance.lognormvariate(math.log(self.median), self.sigma))))

    def __str__(self) -> str:
        if self.low == self.high:
            return str(self.low)
        if self.median is None:
            return f"{self.low} to {self.high}, uniform"
        return f"lognormal, median {self.median:g}, sigma {self.sigma:g}, clipped to {self.low}..{self.high}"
