"""The one source of chance: always seeded, so that the same seed tells the same story."""

from random import Random  # noqa: TID251 - every use here is a Random of its own, seeded by whoever asks

__all__ = ["Random"]
