"""Fortnights in which clocks change, machines and replicas die: nobody meets a cold model within its hours.

Two models by the clocks of Berlin and New York: of the first each of three replicas has an engine of its own, of the
second they share one. A caller is excused from the rule in one case: the machine had died by itself, and its next boot
was not over. No replica is sent callers before it had time to boot (`READY_S`), as no balancer sends any to one that is
not ready; replicas go one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from engines.base import State
from engines.hours import ActiveHours
from tests.engines.weeks import BEAT_S, IDLE_S, Life, Machine, Weeks, now
from tests.leaping import LeapingLoop

HOURS = {
    "berlin": ActiveHours.parse(
        ["Mon-Fri 08:00-09:00", "Sun 01:45-03:15"], "Europe/Berlin", ["2026-10-28", "2026-03-05", "2026-03-31"]
    ),
    "york": ActiveHours.parse(
        ["Mon-Thu 09:00-10:30", "Sat 23:30-02:30"], "America/New_York", ["2026-10-22", "2026-03-12", "2026-03-24"]
    ),
}
BOOTS = {"berlin": (20.0, 24.0), "york": (74.0, 90.0)}
LONGEST_BOOT_S = 90.0
AHEAD_S = 150.0
"""No boot for a window begins earlier."""
DAY_S = 86_400.0


def moment(day: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).timestamp()


def windows(model: str, begin: float, end: float) -> list[tuple[float, float]]:
    """When a model's hours open and close between two moments at which they are closed."""
    changes: list[float] = []
    at = begin
    while (change := HOURS[model].next_change(at)) and change.at < end:
        changes.append(at := change.at)
    return list(zip(changes[::2], changes[1::2], strict=True))


class Fortnight:
    """Two weeks from a day's beginning on."""

    def __init__(self, day: str, seed: int) -> None:
        self.begin = moment(day)
        self.end = self.begin + 14 * DAY_S
        self.seed = seed
        self.windows = {model: windows(model, self.begin, self.end) for model in HOURS}

    def play(self) -> Weeks:
        with asyncio.Runner(loop_factory=partial(LeapingLoop, self.begin)) as runner:
            return runner.run(self._play())

    async def _play(self) -> Weeks:
        weeks = Weeks({"berlin": False, "york": True}, HOURS, BOOTS, self.seed)
        for _ in range(3):
            weeks.join()
        async with asyncio.TaskGroup() as group:
            for at, happens in sorted(self._events(weeks), key=lambda event: event[0]):
                await asyncio.sleep(at - now())
                group.create_task(happens())
        await asyncio.sleep(self.end - now())
        for replica in weeks.replicas:
            await replica.end()
        return weeks

    def _events(self, weeks: Weeks) -> Iterator[tuple[float, partial]]:
        random = weeks.random
        for model, spans in self.windows.items():
            for opens, closes in spans:
                yield opens, partial(self._look, weeks, model, State.WARM)
                yield opens + 0.001, partial(weeks.visit, model)
                yield random.uniform(opens, closes), partial(weeks.lose, killed=True)
                at = opens
                # People come in flocks, with lulls between them.
                while (at := at + random.choice([random.expovariate(1 / 20), random.expovariate(1 / 300)])) < closes:
                    yield at, partial(weeks.visit, model)
            for (_, closed), (opens, _) in pairwise(spans):
                yield closed + IDLE_S + LONGEST_BOOT_S + 30, partial(self._look, weeks, model, State.COLD)
                at = closed + 3600
                while (at := at + random.expovariate(1 / 14_400)) < opens - 3600:
                    yield at, partial(weeks.visit, model)
                    yield at + LONGEST_BOOT_S + IDLE_S + 60, partial(self._look, weeks, model, State.COLD)
        for rate, what in ((9_000, "kill"), (40_000, "leave"), (5_000, "die")):
            at = self.begin + 3600
            while (at := at + random.expovariate(1 / rate)) < self.end - 7200:
                if what == "die":
                    yield at, partial(self._die, weeks)
                else:
                    yield at, partial(weeks.lose, killed=what == "kill")

    async def _die(self, weeks: Weeks) -> None:
        up = [machine for machine in weeks.machines if machine.up.is_set()]
        if up:
            weeks.random.choice(up).die()

    async def _look(self, weeks: Weeks, model: str, state: State) -> None:
        """Every engine of the model is so now, but for those that were asked, have died or were born too lately."""
        lately = now() - IDLE_S - LONGEST_BOOT_S - 30 if state is State.COLD else now()
        if any(met.model == model and met.at > lately for met in weeks.met):
            return
        for replica in weeks.replicas:
            (line,) = (line for line in replica.lines if line.machine.model == model)
            seen = replica.pool.models[model].state
            if replica.ready and seen is not state and not excused(line.machine, lately, now()):
                weeks.wrong.append(f"{datetime.fromtimestamp(now(), HOURS[model].zone)}: {model} is {seen}")


def excused(machine: Machine, begin: float, end: float) -> bool:
    """Whether it had died by itself and was not up again at some moment between these."""
    return any(died <= end and begin <= up + 1 for died, up in machine.down_from)


def ideal(life: Life, spans: list[tuple[float, float]]) -> int:
    """How many heartbeats a life needs: one in each 30 s of its hours in which nothing else showed that it is there."""
    for opens, closes in spans:
        if opens - AHEAD_S <= life.up_at < closes:
            end = min(closes, life.ended_at)
            signs = sorted([life.up_at, *(sign for sign in life.signs if sign < end), end])
            return sum(max(0, -int(-(later - sooner) // BEAT_S) - 1) for sooner, later in pairwise(signs))
    return 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("day", "seed"), [("2026-10-20", 1), ("2026-03-02", 2), ("2026-03-23", 3)])
def test_nobody_meets_a_cold_model_within_its_hours_and_no_heartbeat_is_spent_in_vain(day: str, seed: int) -> None:
    fortnight = Fortnight(day, seed)
    weeks = fortnight.play()
    assert weeks.wrong == []
    met = [met for met in weeks.met if HOURS[met.model].at(met.at)]
    cold = [each for each in met if each.state is not State.WARM]
    assert [each for each in cold if not excused(each.machine, each.at, each.at)] == []
    for machine in weeks.machines:
        sent = sum(len(life.beats) for life in machine.lives)
        wanted = sum(ideal(life, fortnight.windows[machine.model]) for life in machine.lives)
        assert abs(sent - wanted) <= 1, (machine.model, sent, wanted)
    # What was played was no idle fortnight.
    assert len(met) > 500 and len(weeks.keepers) > 1000 and len(set(weeks.keepers)) > 10
    assert weeks.killed > 50 and weeks.left > 10 and sum(len(machine.down_from) for machine in weeks.machines) > 15


def test_the_hours_of_the_fortnights_move_with_the_clocks() -> None:
    """So that the fortnights' windows are not merely what the hours under test say that they are."""
    hour = 3600.0
    opens = {begin for begin, _ in windows("berlin", moment("2026-10-20"), moment("2026-11-03"))}
    assert {moment("2026-10-23") + 6 * hour, moment("2026-10-26") + 7 * hour} <= opens
    assert not opens & {moment("2026-10-28") + 7 * hour}
    nights = windows("york", moment("2026-10-31"), moment("2026-11-02"))
    assert nights == [(moment("2026-11-01") + 3.5 * hour, moment("2026-11-01") + 7.5 * hour)]
    nights = windows("york", moment("2026-03-07"), moment("2026-03-09"))
    assert nights == [(moment("2026-03-08") + 4.5 * hour, moment("2026-03-08") + 7 * hour)]
