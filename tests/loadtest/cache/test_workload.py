"""The questions follow the law that is stated, and are the same for the same seed."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest

from loadtest.cache.workload import Ask, Workload
from loadtest.plan import PlanError


def test_questions_come_as_often_as_zipf_has_it() -> None:
    """Rank r in proportion to 1 / r ** s, within what chance allows."""
    workload = Workload(questions=50, skew=1.2, rate=10, seconds=2000)
    asks = list(workload.asks())
    counted = Counter(ask.question for ask in asks)

    assert workload.shares()[0] / workload.shares()[9] == pytest.approx(10**1.2)
    for question, share in enumerate(workload.shares()):
        expected = share * len(asks)
        assert abs(counted[question] - expected) < 5 * expected**0.5


def test_asks_arrive_as_a_poisson_process() -> None:
    """So many a second, and the gaps between them are as uneven as chance makes them."""
    times = [ask.at for ask in Workload(rate=5, seconds=2000).asks()]
    gaps = [after - before for before, after in pairwise(times)]
    mean = sum(gaps) / len(gaps)

    assert times == sorted(times) and times[-1] < 2000
    assert mean == pytest.approx(0.2, rel=0.05)
    assert sum((gap - mean) ** 2 for gap in gaps) / len(gaps) == pytest.approx(mean**2, rel=0.1)


def test_shares_are_kept() -> None:
    asks = list(Workload(rate=10, seconds=1000, deterministic=0.8, streamed=0.3, namespaces=4).asks())

    assert sum(ask.deterministic for ask in asks) / len(asks) == pytest.approx(0.8, abs=0.02)
    assert sum(ask.streamed for ask in asks) / len(asks) == pytest.approx(0.3, abs=0.02)
    assert all(
        count / len(asks) == pytest.approx(0.25, abs=0.02) for count in Counter(a.namespace for a in asks).values()
    )


def test_the_same_seed_asks_the_same() -> None:
    assert list(Workload(seconds=100, seed=1).asks()) == list(Workload(seconds=100, seed=1).asks())
    assert list(Workload(seconds=100, seed=1).asks()) != list(Workload(seconds=100, seed=2).asks())


def test_asks_of_one_question_are_equal_whatever_their_manner() -> None:
    """So that only the cache, and nothing in the body, tells them apart."""
    streamed, plain = (json.loads(Ask(at, 7, 2, True, at == 0).body("m", 9)) for at in (0, 1))

    assert (streamed.pop("stream"), plain.pop("stream")) == (True, False)
    assert streamed == plain
    assert streamed["cache"] == {"namespace": "tenant-2"} and streamed["temperature"] == 0
    assert json.loads(Ask(0, 7, deterministic=False).body("m", 9))["temperature"] > 0


@pytest.mark.parametrize("wrong", [{"skew": -1}, {"rate": 0}, {"deterministic": 2}, {"rate": 1000, "seconds": 10_000}])
def test_a_workload_is_bounded(wrong: dict[str, float]) -> None:
    with pytest.raises(PlanError, match="must be from"):
        Workload(**wrong)  # type: ignore[arg-type]
