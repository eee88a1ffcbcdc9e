"""What is told of a prediction, in which order, and how often."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis.strategies import floats, lists, sampled_from, sets, tuples

from gateway.events import (
    Accepted,
    Canceled,
    Delta,
    Failed,
    Finished,
    LogLine,
    Measured,
    Opened,
    Output,
    Progress,
    Timings,
    Usage,
)
from gateway.predictions.record import ALL
from gateway.webhooks.plan import Plan

WORD, FILE, LINE = Delta(0, "word"), Output("https://gw/a.png"), LogLine("50%\n")
END = Finished("stop", Usage(), Timings())
ENDS = [END, Failed("engine_died", "", None, Usage(), Timings()), Canceled("caller", Usage(), Timings())]
QUIET = [Opened("gen", "demo", 0.0), Progress("queued", ""), Measured("images", 1), Delta(0, finish="stop")]


def told(plan, *events, at=0.0):
    for event in events:
        plan.see(event)
    return list(iter(lambda: plan.due(at), None))


def test_the_start_is_told_when_it_begins_and_once():
    plan = Plan(ALL)
    assert told(plan, *QUIET) == []
    assert told(plan, Accepted(3)) == ["start"]
    assert told(plan, Accepted(3), at=9.0) == []


def test_outputs_and_logs_are_told_at_once_and_then_every_half_second():
    plan = Plan(ALL)
    assert told(plan, Accepted(3), WORD) == ["start", "output"]
    assert told(plan, WORD, LINE, at=0.25) == ["logs"]
    assert plan.in_s(0.25) == 0.25
    assert told(plan, FILE, LINE, at=0.5) == ["output"]
    assert told(plan, at=0.75) == ["logs"]
    assert plan.in_s(0.75) is None
    assert told(plan, at=9.0) == []


def test_whoever_takes_long_hears_of_outputs_and_logs_in_turn():
    plan, heard = Plan(["output", "logs"]), []
    for at in range(4):
        plan.see(WORD)
        plan.see(LINE)
        heard.append(plan.due(at * 10.0))
    assert heard == ["output", "logs", "output", "logs"]


def test_what_was_due_before_the_end_is_no_more_after_it():
    plan = Plan(ALL)
    for event in (Accepted(3), WORD, LINE):
        plan.see(event)
    assert plan.due(0.0) == "start"
    plan.see(END)
    assert plan.due(9.0) is None


@pytest.mark.parametrize("event", QUIET)
def test_what_nobody_sees_is_not_told(event):
    assert told(Plan(ALL), event) == []


@pytest.mark.parametrize("end", ENDS)
def test_the_end_takes_the_last_outputs_along(end):
    plan = Plan(ALL)
    told(plan, Accepted(3), WORD)
    assert told(plan, WORD, LINE, end, at=0.1) == []
    assert plan.in_s(9.0) is None and not plan.listens


def test_whoever_is_not_told_of_the_end_is_told_of_the_last_output():
    plan = Plan(["output"])
    assert told(plan, WORD) == ["output"]
    assert told(plan, WORD, END, at=0.1) == ["output"]
    assert told(plan, at=9.0) == []


def test_the_start_is_told_though_all_is_over():
    assert told(Plan(ALL), Accepted(3), WORD, END) == ["start"]
    assert told(Plan(["completed"]), Accepted(3), WORD, END) == []


@pytest.mark.parametrize(
    ("wanted", "listens"),
    [(ALL, True), (["start"], False), (["output"], True), (["completed"], False), (["start", "completed"], False)],
)
def test_after_the_start_only_those_listen_who_want_more(wanted, listens):
    plan = Plan(wanted)
    assert plan.listens == (wanted != ["completed"])
    told(plan, Accepted(3))
    assert plan.listens == listens


EVENTS = sampled_from([*QUIET, Accepted(3), WORD, FILE, LINE])
STEPS = lists(tuples(floats(0, 1), lists(EVENTS, max_size=4)), max_size=30)


@given(sets(sampled_from(ALL)), STEPS, sampled_from(ENDS))
def test_whatever_happens_the_order_and_the_pace_hold(wanted, steps, end):
    plan, now, calls, said = Plan(wanted), 0.0, [], {"start": 0, "output": 0, "logs": 0}
    for passed, events in steps:
        now += passed
        calls += [(now, each) for each in told(plan, *events, at=now)]
        for event in events:
            kind = "start" if isinstance(event, Accepted) else "logs" if event is LINE else "output"
            said[kind] += event not in QUIET
    calls += [(now, each) for each in told(plan, end, at=now)]
    names = [each for _, each in calls]
    assert set(names) <= wanted - {"completed"}
    assert names.count("start") == (said["start"] > 0 and "start" in wanted)
    for each in ("output", "logs"):
        times = [at for at, name in calls if name == each]
        assert len(times) <= said[each]
        assert bool(times) == (said[each] > 0 and each in wanted) or "completed" in wanted
        paced = times if "completed" in wanted else times[:-1]
        assert all(later - earlier >= 0.5 - 1e-9 for earlier, later in pairwise(paced))
    assert plan.due(now + 9) is None
