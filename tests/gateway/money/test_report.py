"""Usage as rows, as CSV, and what it comes to."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.money.base import Cap, CapLine, Line, Use
from gateway.money.costs import costs
from gateway.money.guidance import UNCAPPED, bucket
from gateway.money.prices import NANO
from gateway.money.report import as_csv, cap_rows, rows

RUN = Use(calls=2, prompt_tokens=10, completion_tokens=5, milliseconds=36_000, cost=NANO // 2)
HIT = Use(calls=3, completion_tokens=9, saved=NANO, saved_milliseconds=2_000)
LINES = [
    Line("2026-11-01", "k", "m", "finished", RUN),
    Line("2026-11-01", "k", "m", "hit", HIT),
    Line("2026-11-10", "k", "n", "failed:engine_died", RUN),
    Line("2026-11-10", "l", "m", "join", HIT),
]


def test_usage_is_summed_by_what_is_asked_for() -> None:
    by_model = rows(LINES, ["model"], {})
    assert [(row["model"], row["calls"], row["hits"], row["joins"], row["cost"]) for row in by_model] == [
        ("m", 8, 3, 3, "0.5"),
        ("n", 2, 0, 0, "0.5"),
    ]
    assert [(row["day"], row["key"], row["name"]) for row in rows(LINES, ["day", "key"], {"k": "Ann"})] == [
        ("2026-11-01", "k", "Ann"),
        ("2026-11-10", "k", "Ann"),
        ("2026-11-10", "l", ""),
    ]


def test_no_cell_of_the_csv_is_a_formula() -> None:
    names = {"k": '=HYPERLINK("http://evil")', "l": "@SUM(A1)"}
    lines = [*LINES, Line("2026-11-11", "-k", "+m", "hit", HIT)]
    read = list(csv.DictReader(io.StringIO(as_csv(rows(lines, ["key", "model"], names)))))
    assert {row["name"] for row in read} == {"", '\'=HYPERLINK("http://evil")', "'@SUM(A1)"}
    assert (read[0]["key"], read[0]["model"]) == ("'-k", "'+m")


@given(some.lists(some.text(), min_size=1, max_size=5, unique=True))
def test_any_text_comes_through_a_csv_whole(names: list[str]) -> None:
    given = [{"name": name, "calls": 1} for name in names]
    read = [row["name"] for row in csv.DictReader(io.StringIO(as_csv(given), newline=""))]
    assert [cell.removeprefix("'") for cell in read] == [name.removeprefix("'") for name in names]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in read)


def test_caps_are_shown_with_what_is_to_be_said_of_them() -> None:
    lines = [
        CapLine("k", "m", Cap(bucket(4096), bucket(16), False), 30),
        CapLine("k", "m", Cap(UNCAPPED, bucket(16), False), 3),
    ]
    uncapped, capped = cap_rows(lines)
    assert (uncapped["max_tokens"], uncapped["runs"], uncapped["advice"]) == (None, 3, None)
    assert (capped["max_tokens"], capped["p99_used"], capped["advice"]) == (4096, 16, "cap 4096, p99 used 16")


def test_costs_say_what_was_spent_and_what_the_cache_saved() -> None:
    told = costs(LINES)
    assert (told["days"], told["calls"], told["runs"], told["cost"]) == (10, 10, 4, "1")
    assert told["cache"] == {
        "hit": {"calls": 3, "saved": "1", "saved_seconds": 2.0},
        "join": {"calls": 3, "saved": "1", "saved_seconds": 2.0},
    }
    assert "own" not in told


def test_a_machine_of_ones_own_pays_from_the_share_of_time_at_which_it_costs_the_same() -> None:
    # Ten days with 72 busy seconds, which cost 1: a busy hour costs 50.
    own = costs(LINES, 2.5)["own"]
    assert own["busy"] == pytest.approx(72 / 864_000)
    assert own["busy_needed"] == pytest.approx(2.5 / 50)
    assert own["pays"] is False
    busy = [Line("2026-11-01", "k", "m", "finished", Use(calls=1, milliseconds=4_320_000, cost=60 * NANO))]
    even = costs(busy, 2.5)["own"]
    assert even["busy"] == pytest.approx(even["busy_needed"]) == pytest.approx(0.05)


def test_without_any_cost_there_is_no_break_even() -> None:
    assert costs([], 2.5)["own"] is None
    assert costs([], 2.5)["days"] == 0
