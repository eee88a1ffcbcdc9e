"""Lengths are drawn from the distribution that was stated."""

from __future__ import annotations

import random
import statistics

import pytest

from loadtest.lengths import LengthError, Lengths


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("16", "16"),
        ("16:64", "16 to 64, uniform"),
        ("lognormal:100:0.8:10:1000", "lognormal, median 100, sigma 0.8, clipped to 10..1000"),
    ],
)
def test_a_distribution_is_read_and_told(text: str, words: str) -> None:
    """A result says what its lengths were."""
    assert str(Lengths.parse(text)) == words


@pytest.mark.parametrize(
    "text", ["", "x", "0", "9:3", "1:2:3", "lognormal:0:1:1:9", "lognormal:5:nan:1:9", "1:9999999"]
)
def test_a_distribution_without_sense_or_bounds_is_refused(text: str) -> None:
    """With a sentence."""
    with pytest.raises(LengthError):
        Lengths.parse(text)


def test_a_lognormal_has_its_median_and_is_clipped() -> None:
    """Long tails end where they were said to."""
    chance = random.Random(0)
    drawn = [Lengths.parse("lognormal:100:1:20:300").draw(chance) for _ in range(4000)]

    assert statistics.median(drawn) == pytest.approx(100, rel=0.1)
    assert (min(drawn), max(drawn)) == (20, 300)
