"""What is guarded, and how dear it may be: the only place where the limits stand. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple


class Scene(NamedTuple):
    """A load, and what a frame of it may cost at most, as a multiple of a bare send to the same number of readers."""

    name: str
    shared: bool
    """All follow one generation; else each has one of its own."""
    readers: int
    frames: int
    token_ms: float
    seen: tuple[float, float]
    """What it was when the limit was set, least and most of 7 runs, 4 of them on a busy machine: docs/benchmarks.md."""
    limit: float


SCENES: Final = (
    Scene("64 streams, a reader each", shared=False, readers=64, frames=50, token_ms=10, seen=(2.9, 3.9), limit=5.5),
    Scene("1 stream, 200 readers", shared=True, readers=200, frames=30, token_ms=10, seen=(1.3, 1.9), limit=3.0),
)


class Turn(NamedTuple):
    """What one turn of a server cost."""

    frames: int
    cpu_us: float
    """For a frame."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All rounds of a scene."""

    scene: Scene
    hearth: Sequence[Turn]
    floor: Sequence[Turn]

    @property
    def ratios(self) -> list[float]:
        """Of each round."""
        return [ours.cpu_us / bare.cpu_us for ours, bare in zip(self.hearth, self.floor, strict=True)]

    @property
    def ratio(self) -> float:
        """The middle one, or that of the best turns: noise makes either dear, and a slower path both."""
        return min(statistics.median(self.ratios), _least(self.hearth) / _least(self.floor))

    @property
    def failed(self) -> bool:
        return self.ratio > self.scene.limit


def _least(turns: Sequence[Turn]) -> float:
    return min(turn.cpu_us for turn in turns)


def middle(numbers: Sequence[float]) -> str:
    """Median (least..most)."""
    return f"{statistics.median(numbers):.1f} ({min(numbers):.1f}..{max(numbers):.1f})"
