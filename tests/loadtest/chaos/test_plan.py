"""One seed, one plan."""

from __future__ import annotations

from itertools import islice

import pytest

from loadtest.chaos.plan import PHASES, Phase, Plan, phases
from loadtest.plan import PlanError


def plan(seed: int = 1, streams: int = 3, seconds: float = 10) -> Plan:
    return Plan(seed, streams, (Phase("all", seconds, PHASES["all"]),), (10, 20))


def test_the_same_seed_asks_cuts_and_breaks_the_same() -> None:
    def decided(seed: int) -> list[object]:
        one = plan(seed)
        harms = list(islice(one.phases[0].harms(seed, 2.0), 30))
        return [*harms, *(one.ask("m", place) for place in range(3)), one.cut(one.chance(0, 1))]

    assert decided(1) == decided(1)
    assert decided(1) != decided(2)


def test_no_harm_is_left_out() -> None:
    deeds = [harm.deed for harm in islice(plan().phases[0].harms(1, 2.0), len(PHASES["all"]))]
    assert sorted(deeds) == sorted(PHASES["all"])


def test_a_replica_is_frozen_for_longer_than_its_lease() -> None:
    frozen = [harm for harm in islice(plan().phases[0].harms(1, 2.0), 100) if harm.deed == "freeze"]
    assert frozen and all(harm.lasting > 2.0 for harm in frozen)


def test_no_two_places_ask_the_same() -> None:
    asks = [plan().ask("m", place) for place in range(3)]
    assert len({ask.content for ask in asks}) == 3
    assert all(10 <= ask.max_tokens <= 20 for ask in asks)
    assert b'"stream": true' in asks[0].packed(True)


def test_cuts_fall_anywhere_and_some_connections_live() -> None:
    one = plan()
    cuts = [one.cut(one.chance("cut", number)) for number in range(1000)]
    some = [cut for cut in cuts if cut is not None]
    assert 50 < cuts.count(None) < 200
    assert min(some) < 20 and max(some) > 10_000 and 2000 < sum(some) / len(some) < 3000


@pytest.mark.parametrize(("streams", "seconds"), [(0, 10), (10_000, 10), (3, 0), (3, 10_000)])
def test_a_run_is_bounded(streams: int, seconds: float) -> None:
    with pytest.raises(PlanError, match="at most"):
        plan(streams=streams, seconds=seconds)


def test_phases_share_the_time() -> None:
    made = phases(["redis", "forgetting"], 60)
    assert [(phase.name, phase.seconds, phase.forgets) for phase in made] == [
        ("redis", 30, False),
        ("forgetting", 30, True),
    ]
    with pytest.raises(PlanError, match="replicas"):
        phases(["nothing"], 60)
