"""Figures are what the outcomes say, from however many processes they come."""

from __future__ import annotations

import json
import math
import pickle
from array import array

import pytest

from loadtest.figures import Figures, Goodput, Load
from loadtest.outcome import Outcome
from loadtest.processes import Process
from loadtest.record import Objective, Record, Second

PROCESSES = (Process(1, "front", True, 0.25, 100), Process(2, "EngineCore", False, 0.75, 900))


def recorded(*outcomes: Outcome, objective: Objective | None = None) -> Record:
    record = Record(objective)
    for outcome in outcomes:
        record.started(0)
        record.said(outcome.first or 0, outcome.events)
        record.ended(outcome, outcome.total)
    return record


def whole(first: float = 0.1, gap: float = 0.5) -> Outcome:
    return Outcome(first=first, total=1.0, gaps=array("f", [gap]), events=60, bytes=1000, tokens=100)


def test_figures_count_tokens_and_price_them_in_cpu() -> None:
    """Failed requests count as errors, their tokens as work that was done."""
    failed = Outcome(first=9.9, total=9.9, events=50, error="cut_off")
    record = recorded(whole(), whole(first=0.3, gap=0.25), failed)
    figures = Figures.of(record, seconds=2, load=Load([0.2, 0.3], 2.5), processes=PROCESSES)

    assert (figures.requests, figures.errors, figures.tokens) == (3, {"cut_off": 1}, 250)
    assert (figures.tokens_per_second, figures.events, figures.events_per_request) == (125, 170, 60)
    assert (figures.client_share, figures.client_limit, figures.others_share) == (0.25, 0.15, 0.5)
    assert (figures.front_us_per_token, figures.total_us_per_token, figures.megabytes) == (1000, 4000, 1000)
    assert figures.us_per_frame == pytest.approx(1e6 / 170)
    assert (figures.first.max, figures.first.count, figures.gap.max) == (0.3, 2, 0.5)


def test_what_was_done_on_purpose_is_no_error() -> None:
    """And its length says nothing of the server; a resumed answer is one like the others."""
    left = Outcome(first=0.1, total=0.2, events=3, left="canceled")
    resumed = Outcome(first=0.1, total=4.0, events=60, cuts=2)
    figures = Figures.of(recorded(whole(), left, resumed), seconds=2, load=Load([0], 0))

    assert (figures.errors, figures.purpose) == ({}, {"canceled": 1, "resumed": 1})
    assert (figures.total.count, figures.first.count) == (2, 3)


def test_goodput_counts_answers_within_the_objective() -> None:
    """Late ones, halting ones and errors are not good; who was made to leave is not asked."""
    objective = Objective(first=0.2, gap=0.6)
    outcomes = [whole(), whole(first=0.3), whole(gap=0.7), Outcome(error="no_answer"), Outcome(left="canceled")]
    figures = Figures.of(recorded(*outcomes, objective=objective), seconds=2, load=Load([0], 0))

    assert figures.goodput == Goodput(objective, share=0.25, per_second=0.5)


def test_a_run_is_told_second_by_second() -> None:
    """What began, ended and was said in each; seconds without news too."""
    record = recorded(Outcome(first=0.5, total=2.2, events=4), Outcome(first=2.0, total=2.1, events=1, error="cut_off"))

    assert record.series() == [Second(2, 0, 4, 0, 2), Second(0, 0, 0, 0, 2), Second(0, 2, 1, 1, 0)]


def test_records_of_several_processes_add_up() -> None:
    """To what one process would have recorded, also when they come from elsewhere."""
    objective = Objective(1, 1)
    outcomes = [whole(), whole(first=0.3), Outcome(error="429 rate_limited"), Outcome(events=2, left="cut")]
    sum_of = Record(objective)
    for outcome in outcomes:
        sum_of.add(pickle.loads(pickle.dumps(recorded(outcome, objective=objective))))

    told, alone = (
        Figures.of(record, 1, Load([0], 0)).as_json() for record in (sum_of, recorded(*outcomes, objective=objective))
    )
    assert told == alone


@pytest.mark.parametrize(
    ("load", "sent", "words"),
    [
        (Load([0.2, 0.95], 2.15), 0.0, ["was the bottleneck", "95 % of a core", "--clients"]),
        (Load([0.1], 2.1), 0.0, ["Other programs used 100 %"]),
        (Load([0.1], 1.1), 0.050, ["sent 50 ms after it was due"]),
        (Load([0.1], 1.1), 0.0, []),
    ],
)
def test_what_spoils_a_run_is_said(load: Load, sent: float, words: list[str]) -> None:
    """The generator's own limits, and its neighbours."""
    figures = Figures.of(recorded(Outcome(first=1.0, sent=sent)), 1, load, PROCESSES)

    assert len(figures.warnings) == bool(words)
    assert all(word in figures.warnings[0] for word in words)


def test_what_could_not_be_measured_is_null() -> None:
    """JSON knows no NaN."""
    figures = Figures.of(recorded(Outcome(error="no_answer")), seconds=1, load=Load([0], 0))

    assert math.isnan(figures.front_us_per_token)
    assert json.loads(json.dumps(figures.as_json(), allow_nan=False))["front_us_per_token"] is None


@pytest.mark.parametrize("objective", [None, Objective(0.2, 0.2)])
def test_figures_are_the_same_after_json(objective: Objective | None) -> None:
    """A saved run can be compared like a new one."""
    for processes in ((), PROCESSES):
        figures = Figures.of(recorded(whole(), objective=objective), 2, Load([0.5], 2), processes)
        again = Figures.from_json(json.loads(json.dumps(figures.as_json())))

        assert again.as_json() == figures.as_json()
        assert (again.series, again.processes, again.goodput) == (figures.series, figures.processes, figures.goodput)
